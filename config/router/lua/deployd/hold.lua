-- How a request waits: headers read, body not, and next to no work while it waits.
--
-- In each worker the waiting requests of a freeze stand in a line. The first one leads: it looks at shared memory every
-- few milliseconds and wakes the others when their ticket may go. The others sleep on a semaphore of their own. There is
-- no timer of the worker's, because those die when nginx reloads, while the requests of the old workers go on.
local semaphore = require "ngx.semaphore"
local client = require "deployd.client"
local clock = require "deployd.clock"
local queue = require "deployd.queue"
local routes = require "deployd.routes"
local settings = require "deployd.settings"

local TICK_SECONDS = 0.01
local LOOK_SECONDS = 0.5  -- how often the leader asks who has left
local lines = {}  -- {freeze number: line} of this worker
local held = { all = 0, projects = {} }  -- how many wait in this worker: connections that nobody else can have meanwhile

local _M = {}

local function first_waiting(line)
    while line.first <= line.last do
        local waiting = line.entries[line.first]
        if waiting and not waiting.verdict then
            return waiting
        end
        line.entries[line.first] = nil
        line.first = line.first + 1
    end
    lines[line.number] = nil
    return nil
end

local function hand_over(line)
    local leader = first_waiting(line)
    if leader ~= line.leader then
        line.leader = leader
        if leader then
            leader.wake:post(1)
        end
    end
end

local function count(project, by)
    held.all = held.all + by
    local now = (held.projects[project] or 0) + by
    held.projects[project] = now > 0 and now or nil
end

-- Whether one request more may wait in this worker.
local function is_full(project)
    local most = settings.most_held_here
    return held.all >= most.all or (held.projects[project] or 0) >= most.project
end

local function settle(waiting, verdict)
    if not waiting.verdict then
        count(waiting.project, -1)
    end
    waiting.verdict = verdict
end

local function tell(waiting, verdict)
    settle(waiting, verdict)
    waiting.wake:post(1)
end

local function end_all(line)
    for place = line.first, line.last do
        local waiting = line.entries[place]
        if waiting and not waiting.verdict and queue.forget(line.number, waiting.ticket, true) then
            queue.count(line.number, "expired")
            tell(waiting, "expired")
        end
    end
end

local function admit(line)
    local admitted = queue.advance(line.number)
    local waiting = first_waiting(line)
    while waiting and waiting.ticket <= admitted do
        tell(waiting, "go")
        waiting = first_waiting(line)
    end
end

local function leave(line, waiting)
    if waiting.answered or waiting.verdict == "expired" then
        return
    end
    waiting.answered = true
    queue.count(line.number, "left")
    if waiting.verdict or not queue.forget(line.number, waiting.ticket) then
        queue.answered(line.number)  -- it had been admitted, by this worker or by another one
    end
    settle(waiting, "left")
end

local function look_who_left(line, now)
    if now - (line.looked or 0) < LOOK_SECONDS then
        return
    end
    line.looked = now
    for place = line.first, line.last do
        local waiting = line.entries[place]
        if waiting and not waiting.verdict and client.is_gone(waiting.socket) then
            leave(line, waiting)
            waiting.wake:post(1)
        end
    end
end

-- What the leader does at every tick.
local function tend(line)
    local now = clock.now()
    look_who_left(line, now)
    local environment = routes.environment(line.environment)
    local freeze = environment and environment.head.freeze
    if environment and environment.head.maintenance then
        end_all(line)
    elseif not freeze or freeze.number ~= line.number then
        admit(line)
    elseif now >= freeze.ends then
        end_all(line)
    end
    hand_over(line)
end

local function line_of(environment, number)
    local line = lines[number]
    if not line then
        line = { environment = environment, number = number, entries = {}, first = 1, last = 0 }
        lines[number] = line
    end
    return line
end

-- Waits for the end of a freeze.
-- Returns "go" and the waiting (give it to `answered` when the answer comes), or "expired", "refused" or "left".
function _M.wait(environment, freeze)
    local number, now = freeze.number, clock.now()
    if now >= freeze.ends then
        queue.count(number, "expired")
        return "expired"
    end
    local project = string.match(environment, "^[^/]*")
    local ticket = not is_full(project) and queue.enter(number, freeze.most, now)
    if not ticket then
        queue.count(number, "refused")
        return "refused"
    end
    local line = line_of(environment, number)
    local waiting = {
        ticket = ticket, number = number, project = project, wake = semaphore.new(0), socket = client.socket(),
    }
    line.last = line.last + 1
    line.entries[line.last] = waiting
    count(project, 1)
    ngx.ctx.waited = waiting
    ngx.on_abort(function()
        leave(line, waiting)
        hand_over(line)
        ngx.exit(499)
    end)
    line.leader = line.leader or waiting
    while not waiting.verdict do
        if line.leader == waiting then
            ngx.sleep(TICK_SECONDS)
            tend(line)
        elseif not waiting.wake:wait(math.max(freeze.ends - clock.now(), 0) + 1) then
            tend(line)
        end
    end
    if waiting.verdict == "go" and client.is_gone(waiting.socket) then
        leave(line, waiting)  -- what it asked for is not done behind its back: it may have asked again
    end
    return waiting.verdict, waiting
end

-- The answer of a released request has come, or it ended without one. May be said twice.
function _M.answered(waiting)
    if waiting.answered or waiting.verdict == "expired" then
        return
    end
    local line = lines[waiting.number]
    if not waiting.verdict and line then
        leave(line, waiting)  -- it ended while it waited, and nobody told us
        return hand_over(line)
    end
    waiting.answered = true
    queue.answered(waiting.number)
    if line then
        admit(line)
        hand_over(line)
    end
end

return _M
