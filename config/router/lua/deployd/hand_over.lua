-- One router takes over from another (a new image, a new version of deployd): the earlier one gives away the sockets on
-- which visitors come, and all that it knows. Both then accept from the same queue of the kernel, so nobody is refused
-- when the earlier one stops listening. `take_over.lua` is the other side.
--
-- A freeze goes along: its end is a moment of the host's clock, the same for both. Who waits in it stays where he is.
local cjson = require "cjson.safe"
local client = require "deployd.client"
local ffi = require "ffi"
local queue = require "deployd.queue"
local routes = require "deployd.routes"

ffi.cdef [[
    typedef struct { void *base; size_t length; } deployd_iovec;
    typedef struct { void *name; uint32_t name_length; deployd_iovec *parts; size_t count;
                     void *control; size_t control_length; int flags; } deployd_message;
    int getsockopt(int socket, int level, int name, void *value, uint32_t *length);
    int getsockname(int socket, void *address, uint32_t *length);
    ssize_t sendmsg(int socket, const deployd_message *message, int flags);
]]

local C = ffi.C
local SOL_SOCKET, SO_ACCEPTCONN, SCM_RIGHTS = 1, 30, 1
local AF_INET, AF_INET6 = 2, 10
local HIGHEST = 4096                -- listening sockets have low numbers: they were opened first
local HEAD, WORD = 16, 8            -- of a struct cmsghdr on 64 bits
local NOT_TOLD = { started = true, turn = true, leaving = true }

local dict = ngx.shared.routes

local _M = {}

local function is_for_visitors(socket)
    local value, length = ffi.new("int[1]"), ffi.new("uint32_t[1]", 4)
    if C.getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, value, length) ~= 0 or value[0] == 0 then
        return false
    end
    local address, size = ffi.new("uint16_t[64]"), ffi.new("uint32_t[1]", 128)
    return C.getsockname(socket, address, size) == 0 and (address[0] == AF_INET or address[0] == AF_INET6)
end

local function sockets_of_visitors()
    local found = {}
    for socket = 0, HIGHEST do
        if is_for_visitors(socket) then
            found[#found + 1] = socket
        end
    end
    return found
end

-- Sends the sockets with one byte, ahead of the answer, on the connection of the request.
local function send(sockets)
    local size = HEAD + 4 * #sockets
    local control = ffi.new("uint64_t[?]", math.ceil(size / WORD))
    ffi.cast("size_t *", control)[0] = size
    ffi.cast("int *", control)[2], ffi.cast("int *", control)[3] = SOL_SOCKET, SCM_RIGHTS
    for place, socket in ipairs(sockets) do
        ffi.cast("int *", control)[3 + place] = socket
    end
    local byte = ffi.new("char[1]", string.byte("S"))
    local part = ffi.new("deployd_iovec[1]", { { byte, 1 } })
    local message = ffi.new("deployd_message")
    message.parts, message.count = part, 1
    message.control, message.control_length = control, math.ceil(size / WORD) * WORD
    return C.sendmsg(client.socket(), message, 0) == 1
end

local function all_known()
    local known = {}
    for _, key in ipairs(dict:get_keys(0)) do
        known[key] = not NOT_TOLD[key] and dict:get(key) or nil
    end
    return { format = routes.FORMAT, routes = known, freezes = queue.opened() }
end

-- Gives everything to who asks on the control socket. Returns what is known, or nil when nobody comes to this router.
function _M.give()
    local sockets = sockets_of_visitors()
    if #sockets == 0 or not send(sockets) then
        return nil
    end
    return all_known()
end

-- From now on connections of HTTP/1 end with their next answer (`Connection: close`): what is closed in silence when this
-- router stops listening has not been used for a while.
function _M.leave(on)
    if dict:get("leaving") ~= (on or nil) then
        dict:set("leaving", on or nil)
        dict:incr("generation", 1, 0)
    end
    return { generation = dict:get("generation") or 0 }
end

local function know(state)
    if type(state) ~= "table" or state.format ~= routes.FORMAT then
        return true  -- of another version of deployd, or nothing: the daemon tells
    end
    for key, value in pairs(state.routes) do
        if not dict:safe_set(key, value) then
            return false
        end
        local head = string.sub(key, 1, 5) == "head:" and cjson.decode(value)
        if head and head.freeze then
            queue.open_again(head.freeze.number)
        end
    end
    queue.go_on_from(state.freezes)
    return true
end

-- Called once before the workers start. What cannot be taken is told by the daemon, as after every start.
function _M.take(path)
    local file = io.open(path, "r")
    if not file then
        return
    end
    local state = cjson.decode(file:read("*a"))
    file:close()
    os.remove(path)
    local ok, known = pcall(know, state)
    if not (ok and known) then
        ngx.log(ngx.ERR, "what the earlier router knew cannot be taken over: ", ok and "the memory is too small" or known)
        dict:flush_all()
    end
end

return _M
