-- Who may see an environment: addresses, and names with passwords (`http_access` of the settings). Who is not let in is
-- told so before anything waits or is asked of a container.
--
-- Passwords are hashed slowly on purpose, so a right one is remembered, and an address that guesses is stopped.
local addresses = require "deployd.pure.addresses"
local ffi = require "ffi"

ffi.cdef [[ char *crypt(const char *password, const char *setting); ]]

local MOST_REMEMBERED = 2000
local MOST_WRONG, WRONG_SECONDS = 20, 60
local wrong = ngx.shared.wrong_passwords
local right, right_count = {}, 0  -- {digest of hash and password: true} of this worker

local _M = {}

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

-- The name of the page that refuses a request and its status, or nothing. `access` is as pure/index.lua made it.
function _M.verdict(access)
    local from = addresses.unmapped(ngx.var.binary_remote_addr)
    if not addresses.may_come(from, access.rules, access.otherwise) then
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
