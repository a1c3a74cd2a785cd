-- Which addresses may see an environment: the rules of `http_access`. Addresses are what nginx has: four or sixteen bytes.
local _M = {}

local function bytes(hex)
    return (string.gsub(hex, "%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

-- The rules that deployd/router/render.py wrote, ready to compare; and whether whom no rule names may come.
function _M.prepare(written)
    local rules, otherwise = {}, true
    for _, rule in ipairs(written) do
        rules[#rules + 1] = { allow = rule.allow, bits = rule.bits, network = bytes(rule.network) }
        otherwise = otherwise and not rule.allow  -- a list that allows somebody means nobody else
    end
    return rules, otherwise
end

local function is_in(address, rule)
    if #address ~= #rule.network then
        return false
    end
    local whole = math.floor(rule.bits / 8)
    if string.sub(address, 1, whole) ~= string.sub(rule.network, 1, whole) then
        return false
    end
    local rest = rule.bits % 8
    if rest == 0 then
        return true
    end
    local shift = 2 ^ (8 - rest)
    return math.floor(string.byte(address, whole + 1) / shift)
        == math.floor(string.byte(rule.network, whole + 1) / shift)
end

-- An address of version four that came in by a socket of version six counts as what it is.
function _M.unmapped(address)
    if #address == 16 and string.sub(address, 1, 12) == string.rep("\0", 10) .. "\255\255" then
        return string.sub(address, 13)
    end
    return address
end

-- Whether an address may come; the first rule that names it decides.
function _M.may_come(address, rules, otherwise)
    for _, rule in ipairs(rules) do
        if is_in(address, rule) then
            return rule.allow
        end
    end
    return otherwise
end

return _M
