-- Who waits in a freeze, over all workers: tickets in order of arrival, figures, and the pace of the release.
--
-- In the shared dictionary, for the freeze with the number F:
--   F:ticket     the last ticket given out            F:t:<n>      when ticket n arrived; gone when admitted or left
--   F:admitted   tickets up to this one may go        F:under_way  admitted, and no answer has come yet
--   F:room       how many may be under way now        F:pace       how many in the end
--   F:now F:released F:longest F:expired F:left F:refused          figures
-- Whoever changes admitted and under_way holds F:lock, and does not yield while holding it.
local clock = require "deployd.clock"
local pace = require "deployd.pure.pace"
local settings = require "deployd.settings"

local dict = ngx.shared.holds
local FIGURES = { "now", "ticket", "admitted", "under_way", "released", "longest", "expired", "left", "refused" }
local KEPT_SECONDS = 86400     -- how long the figures of a freeze can be asked for
local TICKET_SECONDS = 600     -- a ticket whose worker died is forgotten in the end

local _M = {}

-- A freeze that another router has begun: nobody waits here yet. Returns its number.
function _M.open_again(number)
    for _, figure in ipairs(FIGURES) do
        local ok, reason = dict:safe_set(number .. ":" .. figure, 0)
        if not ok then
            return nil, reason
        end
    end
    return number
end

-- A new freeze; returns its number.
function _M.open()
    return _M.open_again(tostring(dict:incr("freezes", 1, 0)))
end

-- How many freezes there have been; another router goes on counting from there.
function _M.opened()
    return dict:get("freezes") or 0
end

function _M.go_on_from(count)
    dict:set("freezes", count)
end

function _M.count(number, figure, by)
    dict:incr(number .. ":" .. figure, by or 1, 0)
    dict:incr("total:" .. figure, by or 1, 0)
end

-- A ticket, or nil when no more may wait.
function _M.enter(number, most, now)
    if dict:incr(number .. ":now", 1, 0) > most then
        dict:incr(number .. ":now", -1)
        return nil
    end
    local ticket = dict:incr(number .. ":ticket", 1, 0)
    if not dict:safe_set(number .. ":t:" .. ticket, now, TICKET_SECONDS) then
        dict:incr(number .. ":now", -1)
        return nil
    end
    return ticket
end

local function locked(number, tries, act)
    for _ = 1, tries do
        if dict:add(number .. ":lock", true, 1) then
            local ok, result = pcall(act)
            dict:delete(number .. ":lock")
            if not ok then
                ngx.log(ngx.ERR, result)
            end
            return ok and result
        end
    end
    return nil
end

-- From now on tickets may go.
function _M.release(number, most)
    dict:safe_set(number .. ":pace", most, KEPT_SECONDS)
    dict:safe_set(number .. ":room", pace.first_room(most), KEPT_SECONDS)
    dict:safe_set(number .. ":moved", clock.now(), KEPT_SECONDS)
    for _, figure in ipairs(FIGURES) do
        dict:expire(number .. ":" .. figure, KEPT_SECONDS)
    end
end

-- When a ticket arrived; it waits no more from now on. nil: it has left.
local function take_ticket(number, ticket)
    local arrived = dict:get(number .. ":t:" .. ticket)
    if arrived then
        dict:delete(number .. ":t:" .. ticket)
    end
    return arrived
end

-- Admits as many as there is place for, in order. Returns the last ticket that may go.
function _M.advance(number)
    locked(number, 200, function()  -- another worker is at it? The next tick comes in milliseconds
        local pace_wanted = dict:get(number .. ":pace") or settings.pace
        local room = dict:get(number .. ":room") or pace_wanted
        local last = dict:get(number .. ":ticket") or 0
        local admitted = dict:get(number .. ":admitted") or 0
        if admitted >= last then
            return
        end
        local release = {
            admitted = admitted, under_way = dict:get(number .. ":under_way") or 0, room = room,
            longest = dict:get(number .. ":longest") or 0,
        }
        local now = clock.now()
        local quiet_seconds = now - (dict:get(number .. ":moved") or now)
        if pace.widen_when_stalled(release, pace_wanted, quiet_seconds, settings.stalled_seconds) then
            dict:safe_set(number .. ":room", release.room, KEPT_SECONDS)
        end
        local released = pace.admit(release, last, now, function(ticket) return take_ticket(number, ticket) end)
        dict:safe_set(number .. ":admitted", release.admitted, KEPT_SECONDS)
        dict:safe_set(number .. ":under_way", release.under_way, KEPT_SECONDS)
        dict:safe_set(number .. ":longest", release.longest, KEPT_SECONDS)
        if released > 0 then
            dict:incr(number .. ":now", -released)
            _M.count(number, "released", released)
            dict:safe_set(number .. ":moved", now, KEPT_SECONDS)
        end
    end)
    return dict:get(number .. ":admitted") or 0
end

-- An admitted request has its answer (or has gone): its place is free.
function _M.answered(number)
    if (dict:incr(number .. ":under_way", -1) or 0) < 0 then
        dict:safe_set(number .. ":under_way", 0, KEPT_SECONDS)
    end
    local room = dict:get(number .. ":room")
    if room and room < (dict:get(number .. ":pace") or 0) then
        dict:incr(number .. ":room", 1)
    end
end

-- A waiting request is no more. Returns false when it had been admitted meanwhile. `waited`: until the freeze was over.
function _M.forget(number, ticket, waited)
    return locked(number, 200000, function()  -- this must be done: some milliseconds at worst
        local arrived = dict:get(number .. ":t:" .. ticket)
        if not arrived then
            return false
        end
        if waited then
            local longest = math.max(dict:get(number .. ":longest") or 0, clock.now() - arrived)
            dict:safe_set(number .. ":longest", longest, KEPT_SECONDS)
        end
        dict:delete(number .. ":t:" .. ticket)
        dict:incr(number .. ":now", -1)
        return true
    end)
end

-- Seconds: of those who went, and of the one who waits longest now.
function _M.longest_wait(number)
    local longest = dict:get(number .. ":longest") or 0
    if (dict:get(number .. ":now") or 0) <= 0 then
        return longest
    end
    local first, last = (dict:get(number .. ":admitted") or 0) + 1, dict:get(number .. ":ticket") or 0
    for ticket = first, last do
        local arrived = dict:get(number .. ":t:" .. ticket)
        if arrived then
            return math.max(longest, clock.now() - arrived)
        end
    end
    return longest
end

-- How many wait now.
function _M.waiting(number)
    return number and math.max(0, dict:get(number .. ":now") or 0) or 0
end

-- What the freeze did so far, in the words of deployd/router/table.py, and how many wait now.
function _M.figures(number)
    local function figure(name)
        return number and dict:get(number .. ":" .. name) or 0
    end
    local waiting = _M.waiting(number)
    return {
        held = figure("released") + waiting,
        held_now = waiting,
        longest_seconds = number and _M.longest_wait(number) or 0,
        released = figure("released"),
        expired = figure("expired"),
        left = figure("left"),
        refused = figure("refused"),
    }
end

function _M.totals()
    local totals = {}
    for _, name in ipairs({ "released", "expired", "left", "refused" }) do
        totals[name] = dict:get("total:" .. name) or 0
    end
    return totals
end

return _M
