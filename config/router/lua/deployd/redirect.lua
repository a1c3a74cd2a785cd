-- Answers redirects (pure/redirects.lua says where they go).
local page = require "deployd.page"
local pattern = require "deployd.pattern"
local redirects = require "deployd.pure.redirects"
local routes = require "deployd.routes"
local settings = require "deployd.settings"
local url = require "deployd.pure.url"

local var = ngx.var

local _M = {}

local function reachable(to)
    return redirects.reachable(to, settings, routes.owner)
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

-- Everything of the route goes to `to`; what follows the route's path is appended.
function _M.whole(route)
    local to = reachable(redirects.unstarred(route.to, route.host, var.host))
    return go(url.appended(to, redirects.behind(#route.path, var), var.args), 301, nil)
end

-- A `to` that is a path is answered as a path.
local function follow(rule, to, suffix, args)
    if string.sub(to, 1, 1) ~= "/" then
        to = reachable(to)
    end
    return go(url.appended(to, suffix, args), rule.code, rule.expires_seconds)
end

local function by_regexp(rules, path)
    local budget = pattern.budget()
    for _, rule in ipairs(rules.regexps) do
        local groups, reason = pattern.match(rule.pattern, path, budget)
        if groups then
            local to, args = redirects.filled(rule.to, groups, var)
            return follow(rule, to, "", args)
        elseif reason then   -- not "no match": who writes such a path must not get past a rule by it
            pattern.say(rules.environment, reason)
            return page.exit("rules", 503)
        end
    end
end

-- Tries the partial redirects of a route; returns when none matches. The most exact rule wins: the path itself, then
-- the longest prefix, then the regular expressions in the order of the file. The query goes along with every redirect.
function _M.partial(rules, path)
    local rule, count = redirects.rule_for(rules, path)
    if not rule then
        return by_regexp(rules, path)
    end
    return follow(rule, rule.to, rule.prefix and rule.append_suffix and redirects.behind(count, var) or "", var.args)
end

return _M
