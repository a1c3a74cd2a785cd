-- Whether the client of a waiting request is still there.
--
-- The Lua module tells when a client leaves, but not when a part of its body lies unread in the socket, and a held POST
-- is just that. So the kernel is asked. The socket's number is read from nginx's request: the first two fields of
-- ngx_http_request_t and the first four of ngx_connection_t are what they were twenty years ago, and the signature is
-- checked.
local ffi = require "ffi"
local base = require "resty.core.base"

ffi.cdef [[
    typedef struct { uint32_t signature; struct { void *data, *read, *write; int fd; } *connection; } deployd_request;
    typedef struct { int fd; short events; short revents; } deployd_pollfd;
    int poll(deployd_pollfd *fds, unsigned long count, int timeout);
]]

local C = ffi.C
local SIGNATURE = 0x50545448          -- "HTTP"
local GONE = 0x2000 + 0x10 + 0x8      -- POLLRDHUP, POLLHUP, POLLERR; nginx itself takes a half-closed client for gone
local one = ffi.new("deployd_pollfd[1]")

local _M = {}

-- The socket of the request that is being handled, or nil.
function _M.socket()
    local request = ffi.cast("deployd_request *", base.get_request())
    if request == nil or request.signature ~= SIGNATURE or request.connection == nil then
        return nil
    end
    return request.connection.fd
end

function _M.is_gone(socket)
    if not socket or socket < 0 then
        return false
    end
    one[0].fd, one[0].events, one[0].revents = socket, 0x2000, 0
    return C.poll(one, 1, 0) == 1 and bit.band(one[0].revents, GONE) ~= 0
end

return _M
