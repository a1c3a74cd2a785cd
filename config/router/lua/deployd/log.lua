-- Whether requests are written to the access log. The daemon takes the file away when it has grown; when the daemon is away
-- for long, nothing more is written, so that the log never fills the run folder (memory, usually).
local settings = require "deployd.settings"

local LOOK_SECONDS = 5
local MOST_BYTES = 64 * 1024 * 1024

local _M = { on = false }

local function look()
    local file = io.open(settings.access_log, "r")
    _M.on = file ~= nil and file:seek("end") < MOST_BYTES
    if file then
        file:close()
    end
end

-- Called when a worker starts.
function _M.watch()
    if settings.access_log then
        look()
        ngx.timer.every(LOOK_SECONDS, look)
    end
end

return _M
