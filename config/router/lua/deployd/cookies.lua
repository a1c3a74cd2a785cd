-- What one environment may do to the cookies of its neighbours: nothing.
--
-- deployd gives environments hosts below one domain. A cookie with `Domain=` of that domain would be sent to all of them, so
-- on such a host a cookie is good for the environment's own hosts or for the one that set it. A browser is not asked to
-- forget cookies there (`Clear-Site-Data`), because it would forget those of the whole domain.
local routes = require "deployd.routes"

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

-- A cookie without the attributes that lead out of the base.
function _M.kept(cookie, base)
    local kept, place = {}, 0
    for part in string.gmatch(cookie .. ";", "([^;]*);") do
        place = place + 1
        if place == 1 or not leads_out(part, base) then
            kept[#kept + 1] = part
        end
    end
    return table.concat(kept, ";")
end

local function forgets_cookies(clears)
    local text = string.lower(type(clears) == "table" and table.concat(clears, ",") or clears)
    return string.find(text, "cookies", 1, true) or string.find(text, "*", 1, true)
end

local function base_of_host()
    local entry = routes.find(ngx.var.host)
    if not entry then
        return ""   -- removed while it answered: for nobody but the host
    end
    return entry.within
end

-- Called when an answer begins.
function _M.keep()
    local header = ngx.header
    local found, clears = header["Set-Cookie"], header["Clear-Site-Data"]
    if not found and not clears then
        return
    end
    local base = base_of_host()
    if not base then
        return
    end
    if clears and forgets_cookies(clears) then
        header["Clear-Site-Data"] = nil
    end
    if type(found) == "table" then
        for place, cookie in ipairs(found) do
            found[place] = _M.kept(cookie, base)
        end
        header["Set-Cookie"] = found
    elseif found then
        header["Set-Cookie"] = _M.kept(found, base)
    end
end

return _M
