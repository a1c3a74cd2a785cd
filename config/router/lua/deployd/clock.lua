-- Seconds on a clock that nobody can set. It is the same for all processes of the host, so a freeze's end means
-- the same moment in every worker, and a step of the time of day neither shortens nor lengthens a hold.
local ffi = require "ffi"

ffi.cdef [[
    typedef struct { long seconds; long nanoseconds; } deployd_timespec;
    int clock_gettime(int clock, deployd_timespec *now);
]]

local MONOTONIC, THREAD = 1, 3
local C = ffi.C
local now = ffi.new("deployd_timespec[1]")

local _M = {}

function _M.now()
    C.clock_gettime(MONOTONIC, now)
    return tonumber(now[0].seconds) + tonumber(now[0].nanoseconds) / 1e9
end

-- Seconds of a processor that this worker has used.
function _M.spent()
    C.clock_gettime(THREAD, now)
    return tonumber(now[0].seconds) + tonumber(now[0].nanoseconds) / 1e9
end

return _M
