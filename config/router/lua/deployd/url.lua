-- URLs put together of what an operator wrote and what a visitor asked for. Touches nothing.
local _M = {}

-- A base with a path behind it, and exactly one slash between: what follows neither begins with "//", which leads to another
-- host, nor becomes a part of the host's name. Nothing behind it leaves the base as it is.
function _M.joined(base, rest)
    if rest == "" then
        return base
    end
    return string.gsub(base, "/$", "") .. "/" .. string.gsub(rest, "^/+", "")
end

-- The same for a base with a query of its own, which stays behind the path. The arguments come last.
function _M.appended(to, rest, args)
    local base, query, fragment = string.match(to, "^([^?#]*)(%??[^#]*)(.*)$")
    if args and args ~= "" then
        query = query .. (query == "" and "?" or "&") .. args
    end
    return _M.joined(base, rest) .. query .. fragment
end

-- A decoded path as it may stand in a header again.
function _M.escaped(path)
    return (string.gsub(path, "[^%w%-%._~!$&'()*+,;=:@/]", function(byte)
        return string.format("%%%02X", string.byte(byte))
    end))
end

return _M
