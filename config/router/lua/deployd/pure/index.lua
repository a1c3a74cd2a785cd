-- A document of routes (deployd/router/render.py writes it) made into tables that answer quickly.
--
-- index.http[host] and index.https[host] are lists of routes, longest path first. Without TLS a host's https routes are
-- answered over http, before the http routes of the same path: those are there to redirect to https.
local addresses = require "deployd.pure.addresses"
local cache_key = require "deployd.pure.cache_key"

local _M = {}

local function rules_by_path(redirects, environment, compile)
    local rules = { exact = {}, prefix = {}, regexps = {}, longest = 0, environment = environment }
    for _, rule in ipairs(redirects) do
        if rule.regexp then
            rule.pattern = assert(compile(rule.path))
            rules.regexps[#rules.regexps + 1] = rule
        elseif rule.prefix then
            rules.prefix[rule.path] = rule
            rules.longest = math.max(rules.longest, #rule.path)
        else
            rules.exact[rule.path] = rule
        end
    end
    return rules
end

-- Who may see the environment; see deployd/access.lua. nil: everybody.
local function access_of(written)
    if not written then
        return nil
    end
    local rules, otherwise = addresses.prepare(written.rules)
    return { rules = rules, otherwise = otherwise, users = next(written.users) and written.users }
end

-- What hosts ask of those who come over TLS; see deployd/tls.lua.
local function tls_by_host(found)
    for _, asked in pairs(found) do
        asked.guarded = asked.newest_only or asked.authentication ~= nil
    end
    return found
end

local function add(list_of_host, route)
    local list = list_of_host[route.host]
    if not list then
        list = {}
        list_of_host[route.host] = list
    end
    list[#list + 1] = route
end

local function longest_first(list_of_host)
    for _, list in pairs(list_of_host) do
        table.sort(list, function(a, b) return #a.path > #b.path end)
    end
end

local function https_over_http(index)
    for host, list in pairs(index.https) do
        local taken, merged = {}, {}
        for _, route in ipairs(list) do
            taken[route.path] = true
            merged[#merged + 1] = route
        end
        for _, route in ipairs(index.http[host] or {}) do
            if not taken[route.path] then
                merged[#merged + 1] = route
            end
        end
        index.http[host] = merged
    end
end

-- `settings` has `https_port` and `zones`; `compile` makes a pattern of an expression, or nil and the reason.
function _M.build(document, settings, compile)
    local zone = settings.zones[string.match(document.environment, "^[^/]*")] or "answers"
    local index = {
        http = {}, https = {}, tls = tls_by_host(document.tls or {}), robots = document.robots,
        within = document.within or {},
        access = access_of(document.access),
    }
    for _, route in ipairs(document.routes) do
        if #route.redirects > 0 then
            route.rules = rules_by_path(route.redirects, document.environment, compile)
        end
        route.redirects = nil
        route.next = 0
        route.cache = cache_key.prepare(route.cache, document.environment, document.version, zone, compile)
        route.plain = route.type == "upstream" and not route.rules and #route.targets > 0
        route.only = #route.targets == 1 and route.targets[1][1] .. ":" .. route.targets[1][2] or nil
        add(index[route.scheme], route)
    end
    if not settings.https_port then
        https_over_http(index)
    end
    longest_first(index.http)
    longest_first(index.https)
    return index
end

-- The route for a path, from a list with the longest first. A path is matched by whole segments: `/shop` matches `/shop`
-- and `/shop/cart`, not `/shopping`.
function _M.match(list, path)
    for i = 1, #list do
        local route = list[i]
        local prefix = route.path
        local length = #prefix
        if prefix == "/" or path == prefix then
            return route
        end
        if string.sub(prefix, -1) == "/" then
            if string.sub(path, 1, length) == prefix or path .. "/" == prefix then
                return route
            end
        elseif string.sub(path, 1, length + 1) == prefix .. "/" then
            return route
        end
    end
    return nil
end

return _M
