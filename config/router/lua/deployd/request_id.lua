-- Names for requests: 32 hexadecimal digits that nobody can guess.
--
-- Like nginx's own $request_id, which asks OpenSSL for each request by itself; that, with the system call in it, is a
-- fifteenth of what a request costs here. So the random bytes of many are had at once.
local ffi = require "ffi"

ffi.cdef [[
int RAND_bytes(unsigned char *buf, int num);
unsigned char *ngx_hex_dump(unsigned char *dst, const unsigned char *src, size_t len);
]]

local COUNT, BYTES = 64, 16
local DIGITS = 2 * BYTES

local sub = string.sub
local digits, at = "", 1   -- filled in the worker: what is made before the fork is the same in all of them

local _M = {}

local function refill()
    local bytes, text = ffi.new("unsigned char[?]", COUNT * BYTES), ffi.new("unsigned char[?]", COUNT * DIGITS)
    assert(ffi.C.RAND_bytes(bytes, COUNT * BYTES) == 1)
    ffi.C.ngx_hex_dump(text, bytes, COUNT * BYTES)
    digits, at = ffi.string(text, COUNT * DIGITS), 1
end

function _M.next()
    if at > #digits then
        refill()
    end
    local id = sub(digits, at, at + DIGITS - 1)
    at = at + DIGITS
    return id
end

return _M
