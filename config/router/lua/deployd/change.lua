-- Changes of what the router knows, one at a time. Each either happens as a whole or not at all: the environment's head
-- is written last, in one step, and every request reads it. Refusals are raised as {refused = sentence}.
local cjson = require "cjson.safe"
local clock = require "deployd.clock"
local pattern = require "deployd.pattern"
local queue = require "deployd.queue"
local settings = require "deployd.settings"
local share = require "deployd.pure.share"
local tls = require "deployd.tls"

local dict = ngx.shared.routes

local _M = {}

local function refuse(sentence)
    error({ refused = sentence }, 0)
end

local function read_head(name)
    local raw = dict:get("head:" .. name)
    return raw and cjson.decode(raw)
end

local function write(key, value)
    local ok, reason = dict:safe_set(key, value)
    if not ok then
        refuse("the router's memory for routes is full (" .. reason .. ")")
    end
end

local function set_of(list)
    local set = {}
    for _, item in ipairs(list) do
        set[item] = true
    end
    return set
end

local function without(list, set)
    local rest = {}
    for _, item in ipairs(list) do
        if not set[item] then
            rest[#rest + 1] = item
        end
    end
    return rest
end

local function joined(first, second)
    local all = {}
    for _, list in ipairs({ first, second }) do
        for _, item in ipairs(list) do
            all[#all + 1] = item
        end
    end
    return all
end

local function names()
    return cjson.decode(dict:get("names") or "[]")
end

local function remember_name(name)
    local all = names()
    if not set_of(all)[name] then
        all[#all + 1] = name
        write("names", cjson.encode(all))
    end
end

local function forget_name(name)
    local rest = without(names(), { [name] = true })
    dict:set("names", #rest > 0 and cjson.encode(rest) or "[]")
end

-- Points new hosts at the environment; they answer 404 until the head is written. Returns the hosts that were added.
local function claim(name, hosts)
    for _, host in ipairs(hosts) do
        local owner = dict:get("host:" .. host)
        if owner and owner ~= name then
            refuse("the host " .. host .. " belongs to the environment " .. owner)
        end
    end
    local added = {}
    local ok, failure = pcall(function()
        for _, host in ipairs(hosts) do
            if not dict:get("host:" .. host) then
                write("host:" .. host, name)
                added[#added + 1] = host
            end
        end
    end)
    if not ok then
        _M.unclaim(added)
        error(failure, 0)
    end
    return added
end

function _M.unclaim(hosts)
    for _, host in ipairs(hosts) do
        dict:delete("host:" .. host)
    end
end

local function commit(name, head)
    write("head:" .. name, cjson.encode(head))
    dict:incr("generation", 1, 0)
end

local function check_regexps(document)
    for _, route in ipairs(document.routes) do
        for _, rule in ipairs(route.redirects) do
            if rule.regexp then
                local compiled, reason = pattern.compile(rule.path)
                if not compiled then
                    refuse("the redirect " .. rule.path .. " is not a regular expression: " .. reason)
                end
            end
        end
    end
end

local function check_authorities(document)
    for host, asked in pairs(document.tls) do
        local reason = asked.authorities and asked.authorities ~= "" and tls.problem(asked.authorities)
        if reason then
            refuse("the authorities for clients of " .. host .. " are not certificates: " .. reason)
        end
    end
end

-- What the routes of an environment take. An earlier version of deployd did not note it.
local function bytes_of(name)
    local head = read_head(name)
    return head and (head.bytes or #(dict:get("doc:" .. name .. ":" .. head.document) or ""))
end

local function check_share(name, document, text)
    local problem = share.problem(name, share.size(document, text), names(), bytes_of, settings.share_bytes)
    if problem then
        refuse(problem)
    end
end

local function drop_document(name, number)
    if number and number ~= "" then
        dict:delete("doc:" .. name .. ":" .. number)
    end
end

local function drop_unused(name, before, head)
    if before.preview ~= head.preview then
        drop_document(name, before.preview)
    end
    _M.unclaim(without(before.hosts, set_of(head.hosts)))
    if before.document ~= head.document then
        drop_document(name, before.document)
    end
end

local function fresh_head()
    return { version = "", document = "", digest = "", hosts = {}, maintenance = false, pace = settings.pace }
end

-- The head that follows from `before` with these routes; everything but the head itself is in shared memory then.
local function prepare(name, before, document, text)
    check_regexps(document)
    check_authorities(document)
    local head = {}
    for key, value in pairs(before) do
        head[key] = value
    end
    local added = claim(name, document.hosts)
    local number = tostring(dict:incr("documents", 1, 0))
    local ok, failure = pcall(function()
        remember_name(name)
        write("doc:" .. name .. ":" .. number, text)
    end)
    if not ok then
        _M.unclaim(added)
        error(failure, 0)
    end
    head.version, head.document, head.digest = document.version, number, ngx.md5(text)
    head.hosts, head.pace = document.hosts, document.pace
    head.origin, head.bytes = document.origin, share.size(document, text)
    return head, added
end

local function commit_or_undo(name, head, added, document)
    local ok, failure = pcall(commit, name, head)
    if not ok then
        _M.unclaim(added)
        drop_document(name, document)
        error(failure, 0)
    end
end

local function answer(head, extra)
    local result = extra or {}
    result.generation = dict:get("generation") or 0
    result.version = head.version
    result.released = queue.figures(head.freeze and head.freeze.number or head.last)
    return result
end

local function nothing_known()
    return { again = true, generation = dict:get("generation") or 0, version = "", released = queue.figures(nil) }
end

-- Opens what is frozen or in maintenance; the figures of the freeze stay to be asked for.
local function open(head)
    if head.freeze then
        queue.release(head.freeze.number, head.pace)
        head.last = head.freeze.number
    end
    head.freeze, head.maintenance, head.preview = nil, false, nil
end

-- How an environment sleeps from now on; nil: it is awake.
local function sleep_of(document)
    local asked = document.asleep
    return asked and { hold_seconds = asked.hold_seconds, quiet_until = clock.now() + asked.quiet_seconds }
end

-- Sets routes; `release` opens the environment in the same step.
function _M.set(document, text, release)
    local name = document.environment
    local before = read_head(name) or fresh_head()
    local closed = before.freeze or before.maintenance or before.asleep
    if before.digest == ngx.md5(text) and not (release and closed) then
        return answer(before, { again = true })
    end
    if release then
        check_share(name, document, text)
    end
    local head, added = prepare(name, before, document, text)
    head.asleep = (release or not before.asleep) and sleep_of(document) or not release and before.asleep or nil
    if release then
        open(head)
    elseif before.freeze then
        local routed = set_of(document.hosts)
        head.freeze.hosts = without(before.freeze.hosts, routed)
        head.hosts = joined(document.hosts, head.freeze.hosts)  -- hosts that are only held stay held
    end
    commit_or_undo(name, head, added, head.document)
    drop_unused(name, before, head)
    return answer(head)
end

-- Sets routes in place of those of the version `over`, or changes nothing: since the caller looked somebody switched.
function _M.put(document, text, over)
    local head = read_head(document.environment) or fresh_head()
    if head.version ~= over then
        return answer(head, { outdated = true })
    end
    return _M.set(document, text, false)
end

-- Freezes; an environment that is frozen keeps the end that it has.
function _M.freeze(name, seconds, hosts)
    local before = read_head(name)
    local head = before or fresh_head()
    local seconds_left = head.freeze and head.freeze.ends - clock.now()
    if head.freeze then
        return answer(head, { again = true, seconds_left = seconds_left })
    end
    local number, reason = queue.open()
    if not number then
        refuse("the router's memory for held requests is full (" .. reason .. ")")
    end
    local added = claim(name, hosts)
    head.hosts = joined(head.hosts, added)
    head.freeze = { number = number, ends = clock.now() + seconds, most = settings.max_held, hosts = added }
    local ok, failure = pcall(function()
        remember_name(name)
        commit(name, head)
    end)
    if not ok then
        _M.unclaim(added)
        error(failure, 0)
    end
    return answer(head, { seconds_left = seconds })
end

-- Begins the freeze in which visitors wait until an environment that is asleep is awake, and says whom to wake.
function _M.wake(name)
    local head = read_head(name)
    if not head or not head.asleep or head.freeze then
        return  -- somebody was faster
    end
    local number, reason = queue.open()
    if not number then
        refuse("the router's memory for held requests is full (" .. reason .. ")")
    end
    local ends = clock.now() + head.asleep.hold_seconds
    head.freeze = { number = number, ends = ends, most = settings.max_held, hosts = {} }
    commit(name, head)
    dict:incr("sleepers", 1, 0)
end

-- All that visitors want to have woken.
function _M.waking()
    local found = {}
    for _, name in ipairs(names()) do
        local head = read_head(name)
        if head and head.asleep and head.freeze then
            found[#found + 1] = name
        end
    end
    return found
end

-- Sets the routes that operators see while the environment is closed to everybody else, until it is open again.
function _M.preview(document, text)
    local name = document.environment
    local head = read_head(name)
    if not head or not (head.freeze or head.maintenance) then
        refuse("the environment " .. name .. " is open: nobody sees anything before others")
    end
    check_share(name, document, text)
    check_regexps(document)
    check_authorities(document)
    local before, number = head.preview, tostring(dict:incr("documents", 1, 0))
    write("doc:" .. name .. ":" .. number, text)
    head.preview = number
    commit_or_undo(name, head, {}, number)
    drop_document(name, before)
    return answer(head)
end

function _M.thaw(name)
    local head = read_head(name)
    if not head then
        return nothing_known()
    end
    if not head.freeze and not head.maintenance then
        return answer(head, { again = true })
    end
    if head.document == "" then
        return _M.remove(name)  -- a first deployment that failed: there is nothing to go back to
    end
    local only_held, preview = head.freeze and head.freeze.hosts or {}, head.preview
    head.hosts = without(head.hosts, set_of(only_held))
    open(head)
    commit(name, head)
    _M.unclaim(only_held)
    drop_document(name, preview)
    return answer(head)
end

function _M.maintenance(name, on)
    local head = read_head(name)
    if not head then
        refuse("the environment " .. name .. " is not known")
    end
    local preview = head.preview
    head.maintenance = on
    if not on and (not head.freeze or clock.now() >= head.freeze.ends) then
        open(head)
    end
    commit(name, head)
    drop_document(name, preview ~= head.preview and preview)
    return answer(head)
end

function _M.remove(name)
    local head = read_head(name)
    if not head then
        return nothing_known()
    end
    if head.freeze then
        queue.release(head.freeze.number, settings.max_held)
    end
    dict:delete("head:" .. name)
    dict:incr("generation", 1, 0)
    _M.unclaim(head.hosts)
    drop_document(name, head.document)
    drop_document(name, head.preview)
    forget_name(name)
    return answer(head)
end

-- All environments have been told since nginx started: a host that is not known now does not exist.
function _M.complete()
    write("complete", true)
    return { generation = dict:incr("generation", 1, 0), version = "", released = queue.figures(nil) }
end

function _M.look(name)
    local head = read_head(name)
    if not head then
        return { known = false, generation = dict:get("generation") or 0 }
    end
    return answer(head, {
        known = true, frozen = head.freeze ~= nil, maintenance = head.maintenance, asleep = head.asleep ~= nil,
    })
end

local function one_status(head)
    local figures = queue.figures(head.freeze and head.freeze.number or head.last)
    figures.version, figures.origin = head.version, head.origin
    figures.frozen = head.freeze ~= nil
    figures.seconds_left = head.freeze and math.max(0, head.freeze.ends - clock.now()) or 0
    figures.maintenance = head.maintenance or (head.freeze ~= nil and figures.seconds_left == 0)
    figures.asleep = head.asleep ~= nil
    figures.hosts = #head.hosts
    return figures
end

-- Monitors ask every second: without environments there is little to say, however many there are.
function _M.status(with_environments)
    local environments, held_now, longest = {}, 0, 0
    for _, name in ipairs(names()) do
        local head = read_head(name)
        if head then
            local number = head.freeze and head.freeze.number or head.last
            local waiting = queue.waiting(number)
            held_now = held_now + waiting
            longest = waiting > 0 and math.max(longest, queue.longest_wait(number)) or longest
            environments[name] = with_environments and one_status(head) or nil
        end
    end
    local totals = queue.totals()
    totals.held_now, totals.longest_seconds = held_now, longest
    return {
        generation = dict:get("generation") or 0,
        configuration = settings.configuration,
        started = dict:get("started"),
        complete = dict:get("complete") or false,
        free_bytes = dict:free_space(),
        totals = totals,
        environments = environments,
    }
end

return _M
