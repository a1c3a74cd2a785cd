-- At which pace held requests are let go after a freeze.
--
-- A release is {admitted, under_way, room, longest}: tickets up to `admitted` may go, `under_way` of them have no answer
-- yet, `room` may be under way at once, and the longest wait so far was `longest` seconds.
local _M = {}

-- An eighth of the pace at first, and one more with each answer. What has just started has short queues, and whoever finds
-- one full comes again only after a second (TCP).
function _M.first_room(pace)
    return math.ceil(pace / 8)
end

-- No answer for long: a worker died, the application is stuck, or clients do not finish their bodies. The rest is let in
-- all the same, twice as many each time, so that many of those keep nobody waiting for ever. Says whether it came to that.
function _M.widen_when_stalled(release, pace, quiet_seconds, stalled_seconds)
    if release.under_way < release.room or quiet_seconds <= stalled_seconds then
        return false
    end
    release.under_way, release.room = 0, math.max(pace, release.room) * 2
    return true
end

-- Admits as many as there is place for, in order, up to the ticket `last`. `arrived(ticket)` says when a ticket came and
-- takes it out of those who wait; nil: it has left. Returns how many go.
function _M.admit(release, last, now, arrived)
    local released = 0
    while release.under_way < release.room and release.admitted < last do
        release.admitted = release.admitted + 1
        local at = arrived(release.admitted)
        if at then
            release.under_way, released = release.under_way + 1, released + 1
            release.longest = math.max(release.longest, now - at)
        end
    end
    return released
end

return _M
