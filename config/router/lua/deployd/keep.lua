-- How long an answer of a container is kept. This runs in a server of its own between the cache and the containers, because
-- nginx reads the time to live before any Lua of the outer server sees the answer: it is told by X-Accel-Expires.
--
-- What is not kept streams through unbuffered, as it does without a cache.
--
-- The web container repeats what the application itself said (deployd/release/applications/web_upstream.py). What that forbids is not kept,
-- whatever became of `Cache-Control` on the way.
local LARGEST = 16 * 1024 * 1024
local EXPLICIT = { [200] = true, [203] = true, [204] = true, [300] = true, [301] = true, [302] = true, [304] = true,
                   [307] = true, [308] = true, [404] = true, [410] = true }
local BY_DEFAULT = { [200] = true, [203] = true, [301] = true, [304] = true, [308] = true }
local TEXT = { "^text/", "[/+]json", "[/+]xml", "javascript", "^image/", "^font/", "^application/wasm" }

local OF_ONE_REQUEST = { ["x-client-ip"] = true, ["x-forwarded-for"] = true, ["x-request-id"] = true }

local _M = { LARGEST = LARGEST }

local function one(value)
    return type(value) == "table" and table.concat(value, ", ") or value
end

local function forbids(control)
    control = string.lower(control)
    return string.find(control, "private", 1, true) or string.find(control, "no-store", 1, true)
        or string.find(control, "no-cache", 1, true)
end

-- Seconds that Cache-Control allows, nil when it does not say.
local function allowed(control)
    control = string.lower(control)
    return tonumber(string.match(control, "s%-maxage%s*=%s*\"?(%d+)"))
        or tonumber(string.match(control, "max%-age%s*=%s*\"?(%d+)"))
end

-- Whether an answer is for its own request only. What the router itself tells containers of a visitor (the address) is in no
-- header of the visitor's, so nginx cannot tell two answers apart by it.
local function differs_always(vary)
    for name in string.gmatch(string.lower(vary), "[^,%s]+") do
        if name == "*" or OF_ONE_REQUEST[name] then
            return true
        end
    end
    return false
end

-- Whether the answer says of itself that it is for nobody else.
local function is_private(control)
    local header, said = ngx.header, ngx.var.upstream_http_x_deployd_cache_control
    return header["Set-Cookie"] or differs_always(one(header["Vary"]) or "")
        or forbids(control or one(header["Pragma"]) or "") or (said and forbids(said))
end

local function until_expiry(expires)
    local at = ngx.parse_http_time(expires)
    return at and math.max(0, at - ngx.time()) or 0
end

local function is_bounded()
    local length = tonumber(ngx.header["Content-Length"])
    if length then
        return length <= LARGEST
    end
    local content_type = ngx.header["Content-Type"] or ""
    for _, pattern in ipairs(TEXT) do
        if string.find(content_type, pattern) then
            return true  -- pages are made piece by piece; nobody sends gigabytes of them
        end
    end
    return ngx.status ~= 200 and ngx.status ~= 203
end

local function seconds(by_default)
    local header, status = ngx.header, ngx.status
    local control, expires = one(header["Cache-Control"]), one(header["Expires"])
    if not EXPLICIT[status] or is_private(control) or header["Content-Encoding"]
        or string.find(header["Content-Type"] or "", "text/event-stream", 1, true)
        or not is_bounded() then
        return 0
    end
    local found
    if control then
        found = allowed(control) or (expires and until_expiry(expires)) or 0
    elseif expires then
        found = until_expiry(expires)
    else
        found = BY_DEFAULT[status] and by_default or 0
    end
    return math.max(0, found - (tonumber(header["Age"]) or 0))
end

-- The answer was asked for without compression, so it does not differ by what the client accepts.
local function without_encoding(vary)
    local rest = {}
    for name in string.gmatch(vary, "[^,%s]+") do
        if string.lower(name) ~= "accept-encoding" then
            rest[#rest + 1] = name
        end
    end
    return #rest > 0 and table.concat(rest, ", ") or nil
end

-- Called when a container's answer begins.
function _M.decide()
    local kept = seconds(tonumber(ngx.var.http_x_deployd_ttl) or 0)
    ngx.header["X-Accel-Expires"] = kept
    if kept > 0 and not ngx.header["Content-Length"] then
        ngx.ctx.bytes = 0
    end
    if kept == 0 then
        ngx.header["X-Accel-Buffering"] = "no"
    elseif ngx.header["Vary"] then
        ngx.header["Vary"] = without_encoding(one(ngx.header["Vary"]))
    end
end

-- Called for each piece of it. Who says nothing of the length and sends without end would fill the run folder: that answer
-- is broken off, and the next one goes past the cache.
function _M.piece()
    local context = ngx.ctx
    if context.bytes then
        context.bytes = context.bytes + #ngx.arg[1]
        if context.bytes > LARGEST then
            return ngx.ERROR
        end
    end
end

return _M
