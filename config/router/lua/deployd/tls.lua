-- What a host asks of those who come over TLS: a version, and a client's certificate. It is asked in the handshake, for
-- the name that the client says (SNI), so hosts differ behind one listener and nothing is reloaded.
--
-- A client may name one host in the handshake and another one in its request; `verdict` looks at both.
local certificates = require "deployd.certificates"
local clienthello = require "ngx.ssl.clienthello"
local ffi = require "ffi"
local routes = require "deployd.routes"
local ssl = require "ngx.ssl"

ffi.cdef [[ int SSL_set_session_id_context(void *connection, const char *context, unsigned int size); ]]

local DEPTH = 10                                        -- certificates between an authority's and a client's
local EVERYBODY = "/etc/ssl/certs/ca-certificates.crt"  -- without authorities of its own a host trusts whom the image trusts
local MOST_KNOWN = 1000
local known, known_count = {}, 0                        -- {digest: parsed certificates} of this worker

local _M = {}

local function asked_of(name)
    local entry = name and routes.find(string.lower(name))
    return entry and entry.tls
end

-- Called for the client's first message. A session can be gone on with only at the authorities that it was begun with:
-- going on with one does not verify anything again.
function _M.hello()
    local asked = asked_of(clienthello.get_client_hello_server_name())
    if not asked then
        return
    end
    if asked.newest_only then
        assert(clienthello.set_protocols({ "TLSv1.3" }))
    end
    if asked.authentication then
        local context = ngx.md5(asked.digest)
        ffi.C.SSL_set_session_id_context(assert(ssl.get_req_ssl_pointer()), context, #context)
    end
end

local function read(path)
    local file = assert(io.open(path, "r"))
    local text = file:read("*a")
    file:close()
    return text
end

local function authorities(asked)
    local found = known[asked.digest]
    if not found then
        if known_count >= MOST_KNOWN then
            known, known_count = {}, 0
        end
        found = assert(ssl.parse_pem_cert(asked.authorities ~= "" and asked.authorities or read(EVERYBODY)))
        known[asked.digest], known_count = found, known_count + 1
    end
    return found
end

-- Called before our certificate is shown, which is the host's own if there is one: a host that wants to know its clients
-- asks for theirs. A wrong one does not end the handshake, so that its owner gets a page that says so.
function _M.certificate()
    local name = ssl.server_name()
    certificates.present(name and string.lower(name))
    local asked = asked_of(name)
    if not asked or not asked.authentication then
        return
    end
    local found = authorities(asked)
    if asked.authorities == "" then
        assert(ssl.verify_client(nil, DEPTH, found))  -- their names would fill the handshake
    else
        assert(ssl.verify_client(found, DEPTH))
    end
end

-- Why authorities cannot be used, or nil.
function _M.problem(texts)
    local _, reason = ssl.parse_pem_cert(texts)
    return reason
end

-- Called for a request: the name of the page that refuses it and its status, or nothing.
function _M.verdict(asked, host)
    if not asked.guarded then
        return
    end
    local var = ngx.var
    if asked.authentication then
        var.deployd_other_way = ""  -- no browser was seen to present one over QUIC; who comes is asked all the same
    end
    if string.lower(var.ssl_server_name or "") ~= host then
        return "misdirected", 421
    end
    local verified = var.ssl_client_verify
    if asked.authentication == "require" and verified ~= "SUCCESS" then
        return "certificate", 403
    end
    if asked.authentication then
        var.deployd_client_verify = string.match(verified, "^%u+")
        var.deployd_client_dn = var.ssl_client_s_dn
        var.deployd_client_certificate = var.ssl_client_escaped_cert
    end
end

return _M
