-- Where a redirect goes. Whole routes keep path and query; partial ones follow the rules of the configuration format 6.4.
local page = require "deployd.page"
local pattern = require "deployd.pattern"
local routes = require "deployd.routes"
local settings = require "deployd.settings"
local url = require "deployd.url"

local _M = {}

local function with_port(scheme, host)
    local port = scheme == "https" and settings.https_port or settings.http_port
    local usual = scheme == "https" and 443 or 80
    return scheme .. "://" .. host .. (port == usual and "" or ":" .. port)
end

-- A URL of a host of ours is given the scheme and the port under which this router really listens. One that names a
-- port is left as it is.
function _M.reachable(to)
    local scheme, host, rest = string.match(to, "^(https?)://([^/:?#]+)(.*)$")
    if not scheme or string.sub(rest, 1, 1) == ":" or not routes.owner(string.lower(host)) then
        return to
    end
    if not settings.https_port then
        scheme = "http"
    end
    return with_port(scheme, host) .. rest
end

local function go(to, code, expires_seconds)
    if expires_seconds and expires_seconds > 0 then
        ngx.header["Cache-Control"] = "max-age=" .. expires_seconds
        ngx.header["Expires"] = ngx.http_time(ngx.time() + expires_seconds)
    elseif expires_seconds == 0 then
        ngx.header["Cache-Control"] = "no-cache"
    end
    return ngx.redirect(to, code)
end

-- What follows so many bytes of the path, as the client wrote it.
local function behind(count)
    return url.behind(url.raw_path(ngx.var.request_uri), ngx.var.uri, count)
end

-- `*.` in a target stands for what it stands for in the route's own host.
local function unstarred(to, route)
    local tail = string.match(route.host, "^%*(%..*)$")
    if not tail then
        return to
    end
    local star = string.sub(ngx.var.host, 1, -#tail - 1)
    return (string.gsub(to, "^(https?://)%*%.", function(scheme) return scheme .. star .. "." end))
end

-- Everything of the route goes to `to`; what follows the route's path is appended.
function _M.whole(route)
    return go(url.appended(_M.reachable(unstarred(route.to, route)), behind(#route.path), ngx.var.args), 301, nil)
end

local function absolute(to)
    if string.sub(to, 1, 1) == "/" then
        return to
    end
    return _M.reachable(to)
end

-- The query goes along with every redirect.
local function to_with(rule, suffix)
    return go(url.appended(absolute(rule.to), suffix, ngx.var.args), rule.code, rule.expires_seconds)
end

local function variable(name, groups)
    if string.find(name, "^%d+$") then
        return url.escaped(groups[tonumber(name)] or "")
    elseif name == "uri" then
        return behind(0)
    elseif name == "args" or name == "is_args" or string.find(name, "^arg_") then
        return ngx.var[name] or ""
    end
    return "$" .. name
end

local function to_by_regexp(rule, groups)
    local args = ngx.var.args
    local to = string.gsub(rule.to, "%$([%w_]+)", function(name)
        if name == "args" or name == "is_args" or string.find(name, "^arg_") then
            args = nil   -- the rule says itself what becomes of the query
        end
        return (string.gsub(variable(name, groups), "%c", ""))
    end)
    if not string.find(rule.to, "^//") then
        to = string.gsub(to, "^/[/\\]+", "/")  -- what was captured does not choose the host
    end
    return go(url.appended(absolute(to), "", args), rule.code, rule.expires_seconds)
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

local function by_regexp(rules, path)
    local budget = pattern.budget()
    for _, rule in ipairs(rules.regexps) do
        local groups, reason = pattern.match(rule.pattern, path, budget)
        if groups then
            return to_by_regexp(rule, groups)
        elseif reason then   -- not "no match": who writes such a path must not get past a rule by it
            pattern.say(rules.environment, reason)
            return page.exit("rules", 503)
        end
    end
end

-- Tries the partial redirects of a route; returns when none matches. The most exact rule wins: the path itself, then
-- the longest prefix, then the regular expressions in the order of the file.
function _M.partial(rules, path)
    local rule = rules.exact[path]
    if rule then
        return to_with(rule, "")
    end
    local prefix = first_prefix(path, rules.longest)
    while prefix do
        rule = rules.prefix[prefix]
        if rule then
            return to_with(rule, rule.append_suffix and behind(#prefix) or "")
        end
        local shorter = string.match(prefix, "^(.*)/[^/]*$")
        if shorter == "" then
            shorter = prefix ~= "/" and "/" or nil
        end
        prefix = shorter
    end
    return by_regexp(rules, path)
end

return _M
