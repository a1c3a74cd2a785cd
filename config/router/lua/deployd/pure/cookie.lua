-- What is left of cookies: of those that an application sets, and of those that a visitor sends.
local _M = {}

local function is_within(domain, base)
    return domain == base or string.sub(domain, -#base - 1) == "." .. base
end

-- Whether an attribute makes a cookie go further than the base. Browsers skip blanks, case and a dot in front; whatever is
-- written otherwise is taken for one that goes too far.
local function leads_out(attribute, base)
    local name, value = string.match(attribute, "^([^=]*)=?(.*)$")
    if string.lower((string.gsub(name, "[%s%c]", ""))) ~= "domain" then
        return false
    end
    local domain = string.match(string.lower(value), "^[ \t]*%.?([%w%.%-]+)[ \t]*$")
    return not (domain and base ~= "" and is_within(domain, base))
end

-- A cookie that is set (`Set-Cookie`), without the attributes that lead out of the base.
function _M.kept_within(cookie, base)
    local kept, place = {}, 0
    for part in string.gmatch(cookie .. ";", "([^;]*);") do
        place = place + 1
        if place == 1 or not leads_out(part, base) then
            kept[#kept + 1] = part
        end
    end
    return table.concat(kept, ";")
end

-- Whether `Clear-Site-Data` has a browser forget cookies.
function _M.forgets(clears)
    local text = string.lower(type(clears) == "table" and table.concat(clears, ",") or clears)
    return string.find(text, "cookies", 1, true) ~= nil or string.find(text, "*", 1, true) ~= nil
end

-- The cookies that a visitor sends (`Cookie`), without one; nil when nothing is left. Where each begins and ends is looked
-- for by itself: with one pattern for both, thousands of blanks would take seconds.
function _M.without(name, sent)
    local kept, unwanted = {}, name .. "="
    for part in string.gmatch(sent, "[^;]+") do
        local first = string.find(part, "%S")
        if first and string.sub(part, first, first + #unwanted - 1) ~= unwanted then
            kept[#kept + 1] = string.match(part, "^.*%S", first)
        end
    end
    return #kept > 0 and table.concat(kept, "; ") or nil
end

return _M
