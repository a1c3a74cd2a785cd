-- Which requests are answered from the cache (configuration format 6.6; the key is made in pure/cache_key.lua).
--
-- How long an answer is kept is decided in keep.lua, behind the cache. A URL whose last answer was not to be kept goes
-- straight to its container for a while, so that what cannot be cached pays nothing.
local cache_key = require "deployd.pure.cache_key"
local freshness = require "deployd.pure.freshness"
local pattern = require "deployd.pattern"

local passing = ngx.shared.passing
local var = ngx.var

local LONGEST_KEY = 4000      -- bytes; an absurd request is not worth a place
local PASSING_SECONDS = 60
local TOO_LARGE_SECONDS = 3600

local _M = {}

-- Whether one of a cache's patterns is about a cookie; nil and the reason when that cannot be said.
local function matches(patterns, name, budget)
    for _, wanted in ipairs(patterns) do
        local groups, reason = pattern.match(wanted, name, budget)
        if groups or reason then
            return groups and true, reason
        end
    end
    return false
end

local function url()
    if ngx.is_subrequest then
        return var.uri .. "?" .. (var.args or "")
    end
    return var.request_uri
end

-- What the visitor hears of the cache; of a page that is put together, what became of the page itself.
local function say(word)
    if not ngx.is_subrequest then
        var.deployd_cache = word
    end
end

-- Whether a request goes by the cache; says so to the visitor in either case.
function _M.takes(cache, scheme)
    if not cache_key.may_be_shared(cache, var) then
        say("BYPASS")
        return false
    end
    local budget = #cache.patterns > 0 and pattern.budget() or nil
    local key, reason = cache_key.of(cache, scheme, url(), var, matches, budget)
    if not key then
        pattern.say(cache.environment, reason)
        say("BYPASS")
        return false
    end
    if #key > LONGEST_KEY or passing:get(key) then
        say("MISS")
        return false
    end
    var.deployd_key, var.deployd_ttl, var.deployd_zone = key, cache.ttl_seconds, cache.zone
    return true
end

local SHOWN = { HIT = "HIT", REVALIDATED = "HIT", STALE = "HIT", UPDATING = "HIT" }

-- Called when an answer begins.
function _M.answered()
    local status = var.upstream_cache_status
    say(SHOWN[status] or "MISS")
    if not SHOWN[status] and ngx.status < 500 and var.upstream_http_x_accel_expires == "0" then
        passing:set(var.deployd_key, true, PASSING_SECONDS)
    end
end

-- Called when a request has ended: one that keep.lua broke off, or nearly so, goes past the cache the next time.
function _M.ended()
    local length = tonumber(var.upstream_response_length) or 0
    if length > freshness.LARGEST / 2 and not var.upstream_http_content_length then   -- the end of it may not have come
        passing:set(var.deployd_key, true, TOO_LARGE_SECONDS)
    end
end

return _M
