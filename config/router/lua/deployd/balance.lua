-- Which of a route's containers gets a request. The choice is made when the request is let in, and is kept: a switch
-- that comes between does not move it.
local balancer = require "ngx.balancer"
local turns = require "deployd.pure.turns"

local _M = {}

local function first(route)
    return turns.first(route, route.sticky and ngx.crc32_short(ngx.var.remote_addr))
end

-- Pins the route's containers to the request.
function _M.pin(route)
    if route.only then
        ngx.var.deployd_container = route.only  -- cheaper than a table for each request
        return
    end
    local context = ngx.ctx
    context.targets = route.targets
    context.at = first(route)
end

-- The containers of a route for the server behind the cache: in a text, the one whose turn it is first.
function _M.pin_behind(route)
    if route.only then
        ngx.var.deployd_to = route.only
        return
    end
    ngx.var.deployd_to = turns.in_text(route.targets, first(route))
end

-- Reads that text; returns the only container, or "" when there are more to try.
function _M.pinned_before(text)
    local only, targets = turns.from_text(text)
    if not only then
        ngx.ctx.targets, ngx.ctx.at = targets, 1
    end
    return only or ""
end

local function next_of(context)
    local targets, at = context.targets, context.at
    if not context.tried then
        context.tried = true
        balancer.set_more_tries(#targets - 1)
    end
    context.at = at % #targets + 1
    return turns.address(targets[at])
end

-- Called by nginx for each try: the pinned one, and when it cannot be reached the next ones.
function _M.pick()
    local container = ngx.var.deployd_container
    if container == "" then
        container = next_of(ngx.ctx)
    end
    local ok, reason = balancer.set_current_peer(container)
    if not ok then
        ngx.log(ngx.ERR, "cannot use the container ", container, ": ", reason)
        return ngx.exit(502)
    end
end

return _M
