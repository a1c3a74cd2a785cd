-- URLs put together of what an operator wrote and what a visitor asked for.
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

-- A path as somebody wrote it, with everything encoded that has to be; what is encoded stays as it is (`%2F` is no slash).
function _M.tidy(raw)
    local percents = string.gsub(raw, "%%(%x?%x?)", function(digits) return (#digits == 2 and "%" or "%25") .. digits end)
    return (string.gsub(percents, "[^%w%-%._~!$&'()*+,;=:@/%%]", function(byte)
        return string.format("%%%02X", string.byte(byte))
    end))
end

local function decoded(raw)
    return (string.gsub(raw, "%%(%x%x)", function(pair) return string.char(tonumber(pair, 16)) end))
end

-- The raw path of a request, as the client wrote it, without host and query.
function _M.raw_path(request_uri)
    return (string.gsub(string.gsub(request_uri, "^%a+://[^/?]*", ""), "[?#].*$", ""))
end

-- What follows the first `count` bytes of a path (`uri`, decoded), as the client wrote it. Where nginx has changed more than
-- decoded it (`/x/../docs/y`, `//docs`), it cannot be told and is encoded anew.
function _M.behind(raw, uri, count)
    if decoded(raw) ~= uri then
        return _M.escaped(string.sub(uri, count + 1))
    end
    local at = 1
    for _ = 1, count do
        at = at + (string.byte(raw, at) == 37 and 3 or 1)   -- a percent sign
    end
    return (string.gsub(_M.tidy(string.sub(raw, at)), "^%%2[fF]", "/"))   -- there it ends a part of the path
end

return _M
