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
function _M.pin(route)
    if route.only then
        ngx.var.deployd_container = route.only  -- cheaper than a table for each request
        return
    end
    local context = ngx.ctx
    context.targets = route.targets
    context.at = first(route, #route.targets)
end

local function address(target)
    return target[1] .. ":" .. target[2]
end

-- The containers of a route for the server behind the cache: in a text, the one whose turn it is first.
function _M.pin_behind(route)
    if route.only then
        ngx.var.deployd_to = route.only
        return
    end
    local all, count = {}, #route.targets
    local at = first(route, count)
    for step = 0, count - 1 do
        all[#all + 1] = address(route.targets[(at + step - 1) % count + 1])
    end
    ngx.var.deployd_to = table.concat(all, " ")
end

-- Reads that text; returns the only container, or "" when there are more to try.
function _M.pinned_before(text)
    if not string.find(text, " ", 1, true) then
        return text
    end
    local targets = {}
    for host, port in string.gmatch(text, "(%S+):(%d+)") do
        targets[#targets + 1] = { host, port }
    end
    ngx.ctx.targets, ngx.ctx.at = targets, 1
    return ""
end

local function next_of(context)
    local targets, at = context.targets, context.at
    if not context.tried then
        context.tried = true
        balancer.set_more_tries(#targets - 1)
    end
    context.at = at % #targets + 1
    return address(targets[at])
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
