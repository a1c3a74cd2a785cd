-- The certificate that a host shows: read from the file of its name at the handshake, so nothing is reloaded. The daemon
-- writes them; without one nginx shows the certificate that it signed itself.
local routes = require "deployd.routes"
local settings = require "deployd.settings"
local ssl = require "ngx.ssl"

local FRESH_SECONDS, AGAIN_SECONDS = 5, 1   -- how long one is good without a look at its file, and how long none is
local MOST_KNOWN = 5000

local known, known_count = {}, 0            -- {host: what its file had} of this worker

local _M = {}

local function read(name)
    local file = io.open(settings.certificates .. "/" .. name .. ".pem", "r")
    local text = file and file:read("*a")
    if file then
        file:close()
    end
    return text
end

local function parse(name, text)
    local chain, reason = ssl.parse_pem_cert(text)
    local key, key_reason = ssl.parse_pem_priv_key(text)
    if not chain or not key then
        ngx.log(ngx.ERR, "the certificate of ", name, " cannot be used: ", reason or key_reason)
        return {}
    end
    return { chain = chain, key = key }
end

local function find(name)
    local found, now = known[name], ngx.now()
    if found and now < found.look_at then
        return found
    end
    local text = read(name)
    if not found or found.text ~= text then
        if not found then
            if known_count >= MOST_KNOWN then
                known, known_count = {}, 0
            end
            known_count = known_count + 1
        end
        found = text and parse(name, text) or {}
        found.text = text
        known[name] = found
    end
    found.look_at = now + (found.chain and FRESH_SECONDS or AGAIN_SECONDS)
    return found
end

-- Called in the handshake: for names that lead somewhere only, so nobody can make us look for any file.
function _M.present(name)
    if not name or not routes.find(name) then
        return
    end
    local found = find(name)
    if found.chain then
        assert(ssl.clear_certs())
        assert(ssl.set_cert(found.chain))
        assert(ssl.set_priv_key(found.key))
    end
end

return _M
