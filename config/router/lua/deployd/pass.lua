-- An operator's pass: with it a person sees the new version of a closed environment, while visitors wait for it.
--
-- The daemon signs a link (deployd/router/passes.py); who opens it gets a cookie for that host, signed here. Both are
-- good for one environment and for a time:  <ends, Unix time>.<HMAC-SHA256 of kind, environment and end, in hexadecimal>
local cookie = require "deployd.pure.cookie"
local ffi = require "ffi"
local page = require "deployd.page"
local settings = require "deployd.settings"

ffi.cdef [[
    const void *EVP_sha256(void);
    unsigned char *HMAC(const void *hash, const void *key, int key_length, const char *data, size_t length,
                        unsigned char *result, unsigned int *result_length);
    int CRYPTO_memcmp(const void *one, const void *other, size_t length);
]]

local C = ffi.C
local PATH = "/.well-known/deployd/pass"
local COOKIE = "deployd_pass"
local SECONDS = 4 * 3600
local DIGEST_BYTES = 32
local result = ffi.new("unsigned char[?]", DIGEST_BYTES)

local _M = {}

local function signature(kind, environment, ends)
    local text = kind .. "\n" .. environment .. "\n" .. ends
    C.HMAC(C.EVP_sha256(), settings.pass_key, #settings.pass_key, text, #text, result, nil)
    local found = {}
    for place = 0, DIGEST_BYTES - 1 do
        found[place + 1] = string.format("%02x", result[place])
    end
    return table.concat(found)
end

local function is_good(kind, environment, token)
    if #settings.pass_key ~= DIGEST_BYTES then
        return false  -- the file was cut off: the daemon writes another one when it starts
    end
    local ends, signed = string.match(token or "", "^(%d+)%.(%x+)$")
    if not ends or #ends > 12 or #signed ~= 2 * DIGEST_BYTES or tonumber(ends) < ngx.time() then
        return false
    end
    return C.CRYPTO_memcmp(signature(kind, environment, ends), signed, #signed) == 0
end

-- Takes the pass out of what is passed on: it is no application's business.
function _M.strip()
    if not ngx.var["cookie_" .. COOKIE] then
        return
    end
    ngx.req.set_header("Cookie", cookie.without(COOKIE, ngx.var.http_cookie or ""))
end

-- Whether a path is that of an operator's link.
function _M.is_asked(uri)
    return uri == PATH
end

-- The content of @pass: a link becomes a cookie.
function _M.exchange(environment)
    if not environment or not is_good("link", environment.name, ngx.var.args) then
        return page.exit("pass", 403)
    end
    local ends = tostring(ngx.time() + SECONDS)
    ngx.header["Set-Cookie"] = COOKIE .. "=" .. ends .. "." .. signature("cookie", environment.name, ends)
        .. "; Path=/; Max-Age=" .. SECONDS .. "; HttpOnly; SameSite=Lax"
        .. (ngx.var.scheme == "https" and "; Secure" or "")
    ngx.header["Cache-Control"] = "no-store"
    ngx.header["Referrer-Policy"] = "no-referrer"
    return ngx.redirect("/", 303)
end

-- What a person with a pass sees of a closed environment: the version that is being made live, or in maintenance the one
-- that is. nil: nothing, they wait like everybody.
function _M.entry(entry)
    local token = ngx.var["cookie_" .. COOKIE]
    local head = entry.environment.head
    local shown = entry.preview or (not head.freeze and entry) or nil
    if token and shown and is_good("cookie", entry.environment.name, token) then
        ngx.ctx.passes = true
        return shown
    end
end

return _M
