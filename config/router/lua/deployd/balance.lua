-- Which of a route's containers gets a request. The choice is made when the request is let in, and is kept: a switch
-- that comes between does not move it.
local balancer = require "ngx.balancer"

local _M = {}

local function first(route, count)
    if count == 1 then
        return 1
    end
    if route.sticky then
        return ngx.crc32_short(ngx.var.remote_addr) % count + 1
    end
    route.next = route.next % count + 1
    return route.next
end

-- Pins the route's containers to the request.
function _M.pin(context, route)
    context.targets = route.targets
    context.at = first(route, #route.targets)
end

-- Called by nginx for each try: the pinned one, and when it cannot be reached the next ones.
function _M.pick()
    local context = ngx.ctx
    local targets, at = context.targets, context.at
    local target = targets[at]
    if #targets > 1 then
        if not context.tried then
            context.tried = true
            balancer.set_more_tries(#targets - 1)
        end
        context.at = at % #targets + 1
    end
    local ok, reason = balancer.set_current_peer(target[1], target[2])
    if not ok then
        ngx.log(ngx.ERR, "cannot use the container ", target[1], ":", target[2], ": ", reason)
        return ngx.exit(502)
    end
end

return _M
