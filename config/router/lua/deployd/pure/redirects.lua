-- Which partial redirect a path has, and where redirects go. Whole routes keep path and query; partial ones follow the
-- rules of the configuration format 6.4.
local url = require "deployd.pure.url"

local _M = {}

-- A URL of a host of ours (`is_ours`) is given the scheme and the port under which this router really listens. One that
-- names a port is left as it is.
function _M.reachable(to, settings, is_ours)
    local scheme, host, rest = string.match(to, "^(https?)://([^/:?#]+)(.*)$")
    if not scheme or string.sub(rest, 1, 1) == ":" or not is_ours(string.lower(host)) then
        return to
    end
    if not settings.https_port then
        scheme = "http"
    end
    local port = scheme == "https" and settings.https_port or settings.http_port
    local usual = scheme == "https" and 443 or 80
    return scheme .. "://" .. host .. (port == usual and "" or ":" .. port) .. rest
end

-- `*.` in a target stands for what it stands for in the route's own host.
function _M.unstarred(to, pattern, host)
    local tail = string.match(pattern, "^%*(%..*)$")
    if not tail then
        return to
    end
    local star = string.sub(host, 1, -#tail - 1)
    return (string.gsub(to, "^(https?://)%*%.", function(scheme) return scheme .. star .. "." end))
end

-- The longest beginning of a path, up to a slash, that a rule can have. With a look at each of thousands of slashes a
-- visitor's request would take long.
local function first_prefix(path, longest)
    if #path <= longest then
        return path
    end
    local found = string.match(string.sub(path, 1, longest + 1), "^(.*)/")
    return found == "" and "/" or found
end

-- The rule for a path but for those with regular expressions, and how many bytes of the path it took; nil when there is
-- none. The path itself comes before the longest prefix.
function _M.rule_for(rules, path)
    local rule = rules.exact[path]
    if rule then
        return rule, #path
    end
    local prefix = first_prefix(path, rules.longest)
    while prefix do
        rule = rules.prefix[prefix]
        if rule then
            return rule, #prefix
        end
        local shorter = string.match(prefix, "^(.*)/[^/]*$")
        if shorter == "" then
            shorter = prefix ~= "/" and "/" or nil
        end
        prefix = shorter
    end
    return nil
end

-- The path of a request (`var` is its variables), from so many bytes on, as the client wrote it.
function _M.behind(count, var)
    return url.behind(url.raw_path(var.request_uri), var.uri, count)
end

local function says_query(name)
    return name == "args" or name == "is_args" or string.find(name, "^arg_") ~= nil
end

local function value_of(name, groups, var)
    if string.find(name, "^%d+$") then
        return url.escaped(groups[tonumber(name)] or "")
    elseif name == "uri" then
        return _M.behind(0, var)
    elseif says_query(name) then
        return var[name] or ""
    end
    return "$" .. name
end

-- Where a rule with a regular expression leads, by the groups of its match; and the query that goes along.
function _M.filled(to, groups, var)
    local args = var.args
    local filled = string.gsub(to, "%$([%w_]+)", function(name)
        if says_query(name) then
            args = nil   -- the rule says itself what becomes of the query
        end
        return (string.gsub(value_of(name, groups, var), "%c", ""))
    end)
    if not string.find(to, "^//") then
        filled = string.gsub(filled, "^/[/\\]+", "/")  -- what was captured does not choose the host
    end
    return filled, args
end

return _M
