-- Whether requests are written to the access log. The daemon takes the file away when it has grown; when the daemon is away
-- for long, nothing more is written, so that the log never fills the run folder (memory, usually).
local settings = require "deployd.settings"

local LOOK_SECONDS = 5
local MOST_BYTES = 64 * 1024 * 1024

local SHORT_BYTES = 4000   -- of a request's head as it came: what is written of it needs no limit of its own

local var = ngx.var

local _M = { on = false }

local function look()
    local file = io.open(settings.access_log, "r")
    _M.on = file ~= nil and file:seek("end") < MOST_BYTES
    if file then
        file:close()
    end
end

-- Has the request written to the log of an environment when it ends; of a long one only the beginnings of its words.
-- Over TLS a head may have come compressed (HTTP/2, HTTP/3): a byte stands for a long word that was sent once.
function _M.note(environment, scheme)
    if scheme == "http" and tonumber(var.request_length) < SHORT_BYTES then
        var.deployd_environment = environment
    else
        var.deployd_environment, var.deployd_cut = "", environment   -- it may have grown since it was noted first
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
