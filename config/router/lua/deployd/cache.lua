-- Which requests may be answered from the cache, and under which key (configuration format 6.6).
--
-- The key begins with environment and version: environments share nothing, and a switch leaves the earlier answers behind,
-- unreachable. How long an answer is kept is decided in keep.lua, behind the cache. A URL whose last answer was not to be
-- kept goes straight to its container for a while, so that what cannot be cached pays nothing.
local keep = require "deployd.keep"
local pattern = require "deployd.pattern"
local settings = require "deployd.settings"

local passing = ngx.shared.passing
local var = ngx.var

local LONGEST_KEY = 4000      -- bytes; an absurd request is not worth a place
local PASSING_SECONDS = 60
local TOO_LARGE_SECONDS = 3600

local _M = {}

-- What a route's cache needs to know, made once. nil: it has none.
function _M.prepare(cache, environment, version)
    if not cache or not cache.enabled then
        return nil
    end
    local zone = settings.zones[string.match(environment, "^[^/]*")] or "answers"
    local found = { environment = environment, zone = zone, prefix = environment .. "\t" .. version .. "\t", ttl_seconds = cache.default_ttl_seconds,
                    headers = {}, names = {}, patterns = {}, counts_cookies = false, any_cookie = false }
    for _, name in ipairs(cache.headers) do
        found.headers[#found.headers + 1] = "http_" .. string.gsub(string.lower(name), "-", "_")
    end
    for _, name in ipairs(cache.cookies) do
        local expression = string.match(name, "^/(.+)/$")
        found.counts_cookies = true
        if name == "*" then
            found.any_cookie = true
        elseif expression then
            found.patterns[#found.patterns + 1] = pattern.compile(expression)
        else
            found.names[name] = true
        end
    end
    return found
end

-- Whether a cookie makes a difference; nil and the reason when that cannot be said.
local function counts(cache, name, budget)
    if cache.names[name] then
        return true
    end
    for _, wanted in ipairs(cache.patterns) do
        local groups, reason = pattern.match(wanted, name, budget)
        if groups or reason then
            return groups and true, reason
        end
    end
    return false
end

-- The cookies that count, in an order that does not depend on the client's; nil when that cannot be said.
local function cookies(cache, sent)
    local found, budget = {}, #cache.patterns > 0 and pattern.budget() or nil
    for cookie in string.gmatch(sent, "[^;]+") do   -- one at a time: to look for `=` from each letter on would take seconds
        local name, value = string.match(cookie, "^%s*([^=%s]+)=(.*)$")
        local does, reason
        if name then
            does, reason = counts(cache, name, budget)
        end
        if does then
            found[#found + 1] = name .. "=" .. value
        elseif reason then
            pattern.say(cache.environment, reason)
            return nil
        end
    end
    table.sort(found)
    return table.concat(found, ";")
end

-- A client's certificate says who asks, as `Authorization` does: what was made for its owner is for nobody else.
local function shows_certificate()
    local verified = var.deployd_client_verify
    return verified ~= "" and verified ~= "NONE"
end

local function may_be_shared()
    local method = var.request_method
    return (method == "GET" or method == "HEAD")
        and not (var.http_authorization or var.http_range or var.http_upgrade
            or var.http_content_length or var.http_transfer_encoding or shows_certificate())
        and not string.find(var.http_accept or "", "text/event-stream", 1, true)
end

local function url()
    if ngx.is_subrequest then
        return var.uri .. "?" .. (var.args or "")
    end
    return var.request_uri
end

-- A key with one value more. Its length stands in front: no value looks like two.
local function with(key, value)
    return key .. "\t" .. #value .. ":" .. value
end

local function key_of(cache, scheme)
    local key = cache.prefix .. scheme .. "://" .. var.host .. url()
    for _, header in ipairs(cache.headers) do
        key = with(key, var[header] or "")
    end
    local sent = cache.counts_cookies and var.http_cookie
    if not sent then
        return key
    end
    local counted = cookies(cache, sent)
    return counted and with(key, counted)
end

-- What the visitor hears of the cache; of a page that is put together, what became of the page itself.
local function say(word)
    if not ngx.is_subrequest then
        var.deployd_cache = word
    end
end

-- Whether a request goes by the cache; says so to the visitor in either case.
function _M.takes(cache, scheme)
    if not may_be_shared() or (cache.any_cookie and var.http_cookie) then
        say("BYPASS")
        return false
    end
    local key = key_of(cache, scheme)
    if not key then
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
    if length > keep.LARGEST / 2 and not var.upstream_http_content_length then   -- the end of it may not have come
        passing:set(var.deployd_key, true, TOO_LARGE_SECONDS)
    end
end

return _M
