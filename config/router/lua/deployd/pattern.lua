-- Regular expressions of projects. They are compiled with the routes that they belong to and go with them, so that nobody's
-- push a neighbour's out of a cache; and one request is compared with them for a bounded time, over all of them.
--
-- `ngx.re` would compile a pattern for each request or keep it for ever. This is what it does inside (lua-resty-core).
local clock = require "deployd.clock"
local ffi = require "ffi"
local regex = require "resty.core.regex"

local C = ffi.C
local NO_MATCH = -1
local LONGEST_SECONDS = 0.02     -- of a processor's time: what else the host does counts for nobody
local LONGEST_TEXT = 2000        -- bytes. lua_regex_match_limit counts anew from each letter on at which a match may begin
local SAY_SECONDS = 60
local MOST_SAID = 1000
local said, said_count = {}, 0   -- {environment: when it was said last} of this worker

local _M = {}

-- A pattern ready to be compared with; nil and the reason when it is none.
function _M.compile(text)
    local compiled, reason, flags = regex.re_match_compile(text, "j")
    if not compiled then
        return nil, reason
    end
    return { compiled = compiled, flags = flags }
end

-- What one request may take; made for each.
function _M.budget()
    return {}
end

local function is_over(budget)
    local now = clock.spent()
    budget.began = budget.began or now
    return now - budget.began > LONGEST_SECONDS
end

-- The groups of a match, {[0] = all of it, …}; nil when there is none; nil and the reason when that cannot be said.
function _M.match(pattern, text, budget)
    if #text > LONGEST_TEXT then
        return nil, "what is to be compared with its patterns has more than " .. LONGEST_TEXT .. " bytes"
    end
    if is_over(budget) then
        return nil, "all of its patterns together took longer than " .. LONGEST_SECONDS * 1000 .. " ms"
    end
    local count = C.ngx_http_lua_ffi_exec_regex(pattern.compiled, pattern.flags, text, #text, 0)
    if count == NO_MATCH then
        return nil
    elseif count <= 0 then
        return nil, "one of its patterns takes too many steps (" .. count .. ")"
    end
    return regex.collect_captures(pattern.compiled, count, text, pattern.flags)
end

-- Tells the operator why a request was not looked through; not for each, or visitors could fill the log.
function _M.say(environment, reason)
    local now = ngx.now()
    if now - (said[environment] or 0) < SAY_SECONDS then
        return
    end
    if said_count >= MOST_SAID then
        said, said_count = {}, 0
    end
    said_count = said_count + (said[environment] and 0 or 1)
    said[environment] = now
    ngx.log(ngx.WARN, "a request to ", environment, " was given up: ", reason, " (said once a minute)")
end

return _M
