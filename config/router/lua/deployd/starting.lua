-- nginx has just started and knows nothing yet. Whoever comes in the moment until the daemon has told all routes waits for
-- it, instead of hearing that there is no such host, or that the router has just started.
local clock = require "deployd.clock"
local routes = require "deployd.routes"

local LONGEST_SECONDS = 10
local TICK_SECONDS = 0.05
local MOST = 2000  -- requests that may wait so in a worker: hosts that are not known cost nothing else

local waiting = 0

local _M = {}

function _M.is_over()
    return ngx.shared.routes:get("complete")
end

-- The entry of a host as soon as there is one; nil when all is told without it, or it takes too long.
function _M.wait(host)
    if _M.is_over() or waiting >= MOST then
        return nil
    end
    waiting = waiting + 1
    local ends = clock.now() + LONGEST_SECONDS
    local entry
    repeat
        ngx.sleep(TICK_SECONDS)
        entry = routes.find(host)
    until entry or _M.is_over() or clock.now() > ends
    waiting = waiting - 1
    return entry
end

return _M
