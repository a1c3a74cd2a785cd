-- Who may see an environment: addresses, and names with passwords (`http_access` of the settings). Who is not let in is
-- told so before anything waits or is asked of a container.
--
-- Passwords are hashed slowly on purpose, so a right one is remembered, and an address that guesses is stopped.
local ffi = require "ffi"

ffi.cdef [[ char *crypt(const char *password, const char *setting); ]]

local MOST_REMEMBERED = 2000
local MOST_WRONG, WRONG_SECONDS = 20, 60
local wrong = ngx.shared.wrong_passwords
local right, right_count = {}, 0  -- {digest of hash and password: true} of this worker

local _M = {}

local function bytes(hex)
    return (string.gsub(hex, "%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

-- What deployd/router/render.py wrote, made ready to compare. nil: everybody may.
function _M.prepare(access)
    if not access then
        return nil
    end
    local rules, otherwise = {}, true
    for _, rule in ipairs(access.rules) do
        rules[#rules + 1] = { allow = rule.allow, bits = rule.bits, network = bytes(rule.network) }
        otherwise = otherwise and not rule.allow  -- a list that allows somebody means nobody else
    end
    return { rules = rules, otherwise = otherwise, users = next(access.users) and access.users }
end

local function is_in(address, rule)
    if #address ~= #rule.network then
        return false
    end
    local whole = math.floor(rule.bits / 8)
    if string.sub(address, 1, whole) ~= string.sub(rule.network, 1, whole) then
        return false
    end
    local rest = rule.bits % 8
    if rest == 0 then
        return true
    end
    local shift = 2 ^ (8 - rest)
    return math.floor(string.byte(address, whole + 1) / shift) == math.floor(string.byte(rule.network, whole + 1) / shift)
end

-- The address of the client; one of version four that came in by a socket of version six counts as what it is.
local function address()
    local found = ngx.var.binary_remote_addr
    if #found == 16 and string.sub(found, 1, 12) == string.rep("\0", 10) .. "\255\255" then
        return string.sub(found, 13)
    end
    return found
end

local function may_come_from(access, from)
    for _, rule in ipairs(access.rules) do
        if is_in(from, rule) then
            return rule.allow
        end
    end
    return access.otherwise
end

local function matches(password, hash, only_remembered)
    local digest = ngx.sha1_bin(hash .. "\0" .. password)
    if right[digest] or only_remembered then
        return right[digest] or false
    end
    local found = ffi.C.crypt(password, hash)
    if found == nil or ffi.string(found) ~= hash then
        return false
    end
    if right_count >= MOST_REMEMBERED then
        right, right_count = {}, 0
    end
    right[digest], right_count = true, right_count + 1
    return true
end

local function has_password(users, only_remembered)
    local encoded = string.match(ngx.var.http_authorization or "", "^[Bb]asic%s+(%S+)%s*$")
    local name, password = string.match(encoded and ngx.decode_base64(encoded) or "", "^([^:]*):([^%z]*)$")
    local hash = name and users[name]
    return hash and matches(password, hash, only_remembered) or false
end

-- The name of the page that refuses a request and its status, or nothing.
function _M.verdict(access)
    local from = address()
    if not may_come_from(access, from) then
        return "forbidden", 403
    end
    if not access.users then
        return
    end
    local guesses = (wrong:get(from) or 0) >= MOST_WRONG  -- others at its address who are known may still come
    if not has_password(access.users, guesses) then
        if guesses then
            return "busy", 429
        end
        if ngx.var.http_authorization then
            wrong:incr(from, 1, 0, WRONG_SECONDS)
        end
        return "password", 401
    end
    ngx.req.clear_header("Authorization")  -- it was meant for us: configuration format 6.8
end

return _M
