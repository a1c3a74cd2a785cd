-- An environment that is asleep: its routes are known, and nothing runs behind them. The first visitor who wakes it begins
-- a freeze, in which all wait; the daemon asks whom it has to wake (`/sleepers`), and the switch of what it has woken lets
-- them in.
--
-- In its head:  asleep = { hold_seconds, quiet_until }   until `quiet_until` nobody wakes it: it could not be woken just now
-- In the shared dictionary:  sleepers   grows each time that somebody wants one woken
local change = require "deployd.change"
local clock = require "deployd.clock"
local page = require "deployd.page"
local turn = require "deployd.turn"
local wakers = require "deployd.pure.wakers"

local LOOK_SECONDS = 0.05
local NOBODY = "User-agent: *\nDisallow: /\n"

local var = ngx.var
local dict = ngx.shared.routes

local _M = {}

-- The answer for who does not wake it; nothing for who does.
local function turn_away(environment)
    if wakers.wakes(ngx.req.get_method(), var.uri, var.http_user_agent) then
        return
    end
    if var.uri == "/robots.txt" and not environment.index.robots then
        ngx.header["Content-Type"] = "text/plain"
        ngx.header["Content-Length"] = #NOBODY
        ngx.print(NOBODY)
        return ngx.exit(ngx.HTTP_OK)
    end
    return page.exit("asleep", 503)
end

-- Has it woken, unless who asks does not. Returns whether there is a freeze now; ends the request otherwise.
function _M.wake(environment)
    turn_away(environment)
    if environment.head.freeze then
        return true
    end
    if clock.now() < (environment.head.asleep.quiet_until or 0) then
        return page.exit("unwell", 503)
    end
    local ok, result = turn.take(function() return change.wake(environment.name) end)
    if not ok then
        ngx.log(ngx.ERR, "cannot have ", environment.name, " woken: ", type(result) == "table" and result.refused or result)
        return page.exit("crowded", 503)
    end
    return true
end

-- Whom the daemon has to wake, as soon as there is somebody else than when it asked last, or after some seconds.
function _M.wanted(known, seconds)
    local ends = clock.now() + seconds
    local number = dict:get("sleepers") or 0
    while number == known and clock.now() < ends do
        ngx.sleep(LOOK_SECONDS)
        number = dict:get("sleepers") or 0
    end
    return { number = number, environments = change.waking() }
end

return _M
