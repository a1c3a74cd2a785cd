-- The way of a request: host, freeze, path, and then a container, a redirect or a page.
--
-- Nearly every request only needs a container: `pass` finds it without a coroutine of its own and without further phases
-- (a fifth of the router's own time). Whatever needs more (a wait, a redirect, a page) takes the way of `handle`. The ways
-- are named locations of nginx.conf.
local access = require "deployd.access"
local asleep = require "deployd.asleep"
local balance = require "deployd.balance"
local cache = require "deployd.cache"
local challenge = require "deployd.challenge"
local compression = require "deployd.pure.compression"
local hold = require "deployd.hold"
local index = require "deployd.pure.index"
local log = require "deployd.log"
local page = require "deployd.page"
local pass = require "deployd.pass"
local redirect = require "deployd.redirect"
local request_id = require "deployd.request_id"
local routes = require "deployd.routes"
local ssi = require "deployd.ssi"
local starting = require "deployd.starting"
local tls = require "deployd.tls"
local url = require "deployd.pure.url"

local var = ngx.var
local find = routes.find
local next_id = request_id.next
local byte = string.byte
local DOT = 46                           -- the second character of every /.well-known/ and of nearly no other path

local _M = {}

local function no_such_host()
    if starting.is_over() then
        return page.exit("unknown", 404)
    end
    return page.exit("starting", 503)  -- nginx has just started, and the daemon has not yet told all routes
end

-- Waits until the environment is open again. A request may meet the next freeze when it comes out of one.
local function wait_until_open(host, entry)
    local waited
    while entry and entry.environment.closed do
        if waited then
            hold.answered(waited)
        end
        local head = entry.environment.head
        if head.maintenance then
            return page.exit("maintenance", 503)
        end
        waited = nil
        if not head.asleep or asleep.wake(entry.environment) and head.freeze then
            local verdict
            verdict, waited = hold.wait(entry.environment.name, head.freeze)
            if verdict == "left" then
                return ngx.exit(499)
            end
            if verdict ~= "go" then
                return page.exit(verdict == "refused" and "crowded" or head.asleep and "waking" or "maintenance", 503)
            end
        end
        entry = find(host)
    end
    return entry
end

local function match(list, path)
    return list and (list[1].path == "/" and list[1] or index.match(list, path))
end

-- Whether an environment that is asleep need not be woken: there is no such page, or it is elsewhere.
local function needs_no_container(entry, scheme)
    local route = match(entry[scheme], var.uri)
    return not route or route.type ~= "upstream"
end

local function to_outside(route)
    pass.strip()
    var.deployd_target = route.targets[1][1] .. ":" .. route.targets[1][2]
    var.deployd_outside_host = route.outside_host
    if route.outside_path then
        local behind = url.behind(url.raw_path(var.request_uri), var.uri, #route.path)
        local path = url.joined(url.tidy(route.outside_path), behind)
        var.deployd_outside_uri = path .. var.is_args .. (var.args or "")
    end   -- without one nginx passes the request's own on, as it is
    return ngx.exec(route.outside_tls and "@outside_https" or "@outside_http")
end

local function way_past_cache(route)
    balance.pin(route)
    return route.ssi and "@ssi" or ""
end

-- Where a request goes that needs nothing but a container: "" (the location that it is in), or another location.
local function way_to_container(route, scheme)
    var.deployd_route = route.original_url
    if route.cache and cache.takes(route.cache, scheme) then
        balance.pin_behind(route)
        return route.ssi and "@cached_ssi" or "@cached"
    end
    return way_past_cache(route)
end

local function follow(route, scheme)
    if route.rules then
        redirect.partial(route.rules, var.uri)
    end
    if route.type == "redirect" then
        return redirect.whole(route)
    end
    if #route.targets == 0 then
        return page.exit("down", 503)  -- nobody is surely behind it: nobody is asked
    end
    if route.type == "proxy" then
        _M.answered()  -- another location knows nothing of its wait: the next one may go
        return to_outside(route)
    end
    local context = ngx.ctx
    if context.passes and not route.ssi then
        pass.strip()  -- with SSI it is needed again for the parts
    end
    if context.waited and not route.ssi then
        return balance.pin(route)  -- it stays here, so that its answer lets in the next one
    end
    -- What operators see before others is in nobody's cache.
    local way = context.passes and way_past_cache(route) or way_to_container(route, scheme)
    if way ~= "" then
        _M.answered()
        return ngx.exec(way)
    end
end

-- A part that a page includes (SSI): from a container of the same environment or from nowhere. The page itself was let
-- in, so nothing is asked again, and a freeze that began meanwhile does not hold it.
local function pass_part(entry, scheme)
    if not ssi.takes_part() then
        return "@nothing"
    end
    local shown = entry and entry.environment.closed and pass.entry(entry) or entry
    local route = shown and match(shown[scheme], var.uri)
    if not route or route.type ~= "upstream" or #route.targets == 0 then
        return "@nothing"
    end
    var.deployd_route = route.original_url
    local way = ngx.ctx.passes and way_past_cache(route) or way_to_container(route, scheme)
    return way == "" and "@part" or way
end

-- The page that refuses a request and its status, or nothing: what its host asks over TLS, its environment of everybody.
local function verdict(entry, scheme, host)
    local asked = scheme == "https" and entry.tls
    if asked then
        var.deployd_hsts = asked.hsts
        local refusal, status = tls.verdict(asked, host)
        if refusal then
            return refusal, status
        end
    end
    local wanted = entry.environment.index.access
    if wanted then
        return access.verdict(wanted)
    end
end

-- The location for what needs more than a container.
local function by_hand()
    return routes.leaving and "@leaving" or "@handle"
end

-- Called in nginx's rewrite phase. Returns the location that has to do with the request; "" when it can go to the container
-- that is pinned to it now.
function _M.pass(scheme)
    local entry = find(var.host)
    if ngx.is_subrequest then
        return pass_part(entry, scheme)
    end
    var.deployd_id = next_id()
    local uri = var.uri
    if byte(uri, 2) == DOT then
        if challenge.is_asked(uri) then
            return "@challenge"
        elseif pass.is_asked(uri) then
            return "@pass"
        end
    end
    if not entry then
        return by_hand()
    end
    local environment = entry.environment
    if not environment.closed then
        var.deployd_project = environment.project   -- its requests under way are counted (limit_conn), but for held ones
    end
    if environment.asks or routes.leaving or compression.is_unsafe(var) then
        return by_hand()
    end
    if log.on then
        log.note(environment.name, scheme)
    end
    local route = match(entry[scheme], uri)
    if not route or not route.plain then
        return by_hand()
    end
    local asked = scheme == "https" and entry.tls
    if asked then
        if asked.guarded then
            return by_hand()
        end
        var.deployd_hsts = asked.hsts
    end
    if entry.environment.index.robots then
        var.deployd_robots = ""
    end
    return way_to_container(route, scheme)
end

-- The content of @pass.
function _M.exchange_pass()
    local entry = find(var.host)
    return pass.exchange(entry and entry.environment)
end

-- Called in nginx's access phase; returning lets the request go to the pinned container.
function _M.handle(scheme)
    local host = var.host
    local entry = find(host) or starting.wait(host)
    if not entry then
        return no_such_host()
    end
    if compression.is_unsafe(var) then
        ngx.req.clear_header("Accept-Encoding")
    end
    if log.on then
        log.note(entry.environment.name, scheme)
    end
    local refusal, status = verdict(entry, scheme, host)
    if refusal then
        return page.exit(refusal, status)
    end
    local needs_nobody = entry.environment.head.asleep and needs_no_container(entry, scheme)
    if entry.environment.closed and not needs_nobody then
        entry = (entry.preview or not entry.environment.head.asleep) and pass.entry(entry) or wait_until_open(host, entry)
        if not entry then
            return no_such_host()
        end
    end
    if entry.environment.index.robots then
        var.deployd_robots = ""
    end
    local route = match(entry[scheme], var.uri)
    if not route then
        return page.exit("unknown", 404)
    end
    var.deployd_route = route.original_url
    return follow(route, scheme)
end

-- Called when an answer begins, and when a request ends: a held one gives its place to the next.
function _M.answered()
    local waited = ngx.ctx.waited
    if waited then
        hold.answered(waited)
    end
end

return _M
