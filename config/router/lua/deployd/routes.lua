-- What this worker knows of the routes: decoded once, kept until the generation moves.
--
-- In the shared dictionary:  generation     grows with every change; every request compares it
--                            host:<host>    which environment answers for it
--                            head:<env>     JSON: version, document, freeze, maintenance, asleep; writing it is THE
--                                           atomic step
--                            doc:<env>:<n>  JSON of all routes of one version, never changed, gone when replaced;
--                                           the head's `preview` names those that operators see meanwhile
-- A reader can meet a head whose document has just been replaced; it then reads the head again.
local cjson = require "cjson.safe"
local compile = require("deployd.pattern").compile
local hosts = require "deployd.pure.hosts"
local index = require "deployd.pure.index"
local settings = require "deployd.settings"

local dict = ngx.shared.routes
local NO_ROUTES = { http = {}, https = {}, tls = {}, within = {}, robots = true }
local LONGEST_HOST = 253   -- of a DNS name; nobody shall make us look up thousands of labels
local MOST_CACHED = 20000  -- hosts; wildcards make the number of names endless

local _M = {
    FORMAT = 1,            -- of what stands in the shared dictionary; a router that takes over wants the same
    leaving = false,       -- another router has taken over: connections are to end with their next answer
}

local generation = -1
local found, found_count = {}, 0
local environments = {}

-- The routes of a document, made anew only when it is another one than before; nil when it has just been replaced.
local function routes_of(name, document, before, routes)
    if not document or document == "" then
        return NO_ROUTES
    end
    if document == before then
        return routes
    end
    local text = dict:get("doc:" .. name .. ":" .. document)
    return text and index.build(cjson.decode(text), settings, compile)
end

-- The environment as it is now: {raw, head, index, preview, closed, asks}; one that asks looks at every request. nil: not
-- known.
function _M.environment(name)
    for _ = 1, 10 do
        local raw = dict:get("head:" .. name)
        if not raw then
            environments[name] = nil
            return nil
        end
        local known = environments[name]
        if known and known.raw == raw then
            return known
        end
        local head = cjson.decode(raw)
        local before = known and known.head or {}
        local routes = routes_of(name, head.document, before.document, known and known.index)
        local preview = routes_of(name, head.preview, before.preview, known and known.preview)
        if routes and preview then
            known = {
                name = name, project = string.match(name, "^[^/]*"), raw = raw, head = head, index = routes,
                preview = head.preview and preview,
                closed = (head.freeze or head.maintenance or head.asleep) and true or false,
                asks = (head.freeze or head.maintenance or head.asleep or routes.access) and true or false,
            }
            environments[name] = known
            return known
        end
    end
    return nil
end

local function name_of(pattern)
    return dict:get("host:" .. pattern)
end

-- Which environment answers for a host, and under which pattern.
function _M.owner(host)
    return hosts.owner(host, name_of)
end

local function entry_of(environment, routes, pattern)
    return {
        environment = environment, http = routes.http[pattern], https = routes.https[pattern], tls = routes.tls[pattern],
        within = routes.within[pattern],
    }
end

local function look_up(host)
    if #host > LONGEST_HOST then
        return nil
    end
    local name, pattern = _M.owner(host)
    local environment = name and _M.environment(name)
    if not environment then
        return nil
    end
    if found_count >= MOST_CACHED then
        found, found_count = {}, 0
    end
    local entry = entry_of(environment, environment.index, pattern)
    entry.preview = environment.preview and entry_of(environment, environment.preview, pattern)
    found[host], found_count = entry, found_count + 1
    return entry
end

-- {environment, http, https, tls} for a host, or nil. One look at shared memory when nothing has changed.
function _M.find(host)
    local now = dict:get("generation")
    if now ~= generation then
        generation = now
        found, found_count = {}, 0
        _M.leaving = dict:get("leaving") or false
    end
    return found[host] or look_up(host)
end

return _M
