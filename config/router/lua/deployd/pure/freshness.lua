-- How long an answer may be kept, from its status and headers alone (`header` finds them in any case).
local LARGEST = 16 * 1024 * 1024
local EXPLICIT = { [200] = true, [203] = true, [204] = true, [300] = true, [301] = true, [302] = true, [304] = true,
                   [307] = true, [308] = true, [404] = true, [410] = true }
local BY_DEFAULT = { [200] = true, [203] = true, [301] = true, [304] = true, [308] = true }
local TEXT = { "^text/", "[/+]json", "[/+]xml", "javascript", "^image/", "^font/", "^application/wasm" }

local OF_ONE_REQUEST = { ["x-client-ip"] = true, ["x-forwarded-for"] = true, ["x-request-id"] = true }

local _M = { LARGEST = LARGEST }   -- bytes of an answer that is kept

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

-- Whether an answer is for its own request only. What the router itself tells containers of a visitor (the address) is in
-- no header of the visitor's, so nginx cannot tell two answers apart by it.
local function differs_always(vary)
    for name in string.gmatch(string.lower(vary), "[^,%s]+") do
        if name == "*" or OF_ONE_REQUEST[name] then
            return true
        end
    end
    return false
end

-- Whether the answer says of itself that it is for nobody else.
local function is_private(header, control, said)
    return header["Set-Cookie"] or differs_always(one(header["Vary"]) or "")
        or forbids(control or one(header["Pragma"]) or "") or (said and forbids(said))
end

local function is_bounded(status, header)
    local length = tonumber(header["Content-Length"])
    if length then
        return length <= LARGEST
    end
    local content_type = header["Content-Type"] or ""
    for _, pattern in ipairs(TEXT) do
        if string.find(content_type, pattern) then
            return true  -- pages are made piece by piece; nobody sends gigabytes of them
        end
    end
    return status ~= 200 and status ~= 203
end

-- Seconds; 0: it is not kept. `said` is what the application itself said of it (Cache-Control), whatever became of that on
-- the way; `until_expiry(text)` the seconds until a date of HTTP, 0 when it is past or none.
function _M.seconds(status, header, said, by_default, until_expiry)
    local control, expires = one(header["Cache-Control"]), one(header["Expires"])
    if not EXPLICIT[status] or is_private(header, control, said) or header["Content-Encoding"]
        or string.find(header["Content-Type"] or "", "text/event-stream", 1, true)
        or not is_bounded(status, header) then
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

-- `Vary` of an answer that was asked for without compression: it does not differ by what the client accepts. nil: it has
-- none then.
function _M.without_encoding(vary)
    local rest = {}
    for name in string.gmatch(one(vary), "[^,%s]+") do
        if string.lower(name) ~= "accept-encoding" then
            rest[#rest + 1] = name
        end
    end
    return #rest > 0 and table.concat(rest, ", ") or nil
end

return _M
