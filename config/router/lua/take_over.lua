-- Starts nginx on the sockets of the router that it takes over from: `luajit take_over.lua CONTROL STATE nginx …`
--
-- The earlier router is asked at its control socket (CONTROL). It sends its listening sockets (SCM_RIGHTS, unix(7)) and
-- then, as its answer, what it knows; that goes into the file STATE for hand_over.lua. nginx finds the sockets by the
-- variable NGINX, as it does when its program is replaced (nginx.org/en/docs/control.html). When nobody answers, or
-- there is nothing to take over, nginx starts on sockets of its own.
local ffi = require "ffi"

ffi.cdef [[
    typedef struct { uint16_t family; char path[108]; } address;
    typedef struct { void *base; size_t length; } iovec;
    typedef struct { void *name; uint32_t name_length; iovec *parts; size_t count;
                     void *control; size_t control_length; int flags; } message;
    typedef struct { long seconds, microseconds; } timeval;
    int socket(int domain, int type, int protocol);
    int connect(int socket, const address *to, uint32_t length);
    int setsockopt(int socket, int level, int name, const void *value, uint32_t length);
    ssize_t read(int file, void *buffer, size_t length);
    ssize_t write(int file, const void *buffer, size_t length);
    ssize_t recvmsg(int socket, message *message, int flags);
    int close(int file);
    int setenv(const char *name, const char *value, int overwrite);
    int execvp(const char *file, const char *const *arguments);
    unsigned int umask(unsigned int mask);
]]

local C = ffi.C
local AF_UNIX, SOCK_STREAM, SOL_SOCKET, SO_RCVTIMEO, SO_SNDTIMEO = 1, 1, 1, 20, 21
local LIMIT_SECONDS = 5
local HEAD, MOST_SOCKETS = 16, 253          -- of a struct cmsghdr on 64 bits; SCM_MAX_FD of the kernel
local REQUEST = "POST /hand_over HTTP/1.0\r\nHost: router\r\nContent-Length: 0\r\n\r\n"

local function connected(path)
    local to = ffi.new("address", AF_UNIX)
    if #path >= 108 then
        return nil
    end
    ffi.copy(to.path, path)
    local connection = C.socket(AF_UNIX, SOCK_STREAM, 0)
    local limit = ffi.new("timeval", LIMIT_SECONDS, 0)
    C.setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, limit, ffi.sizeof(limit))
    C.setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, limit, ffi.sizeof(limit))
    if C.connect(connection, to, ffi.sizeof(to)) ~= 0 or C.write(connection, REQUEST, #REQUEST) ~= #REQUEST then
        C.close(connection)
        return nil
    end
    return connection
end

-- The sockets that come with the first byte; none when the answer begins like any other.
local function sockets_from(connection)
    local byte, found = ffi.new("char[1]"), {}
    local part = ffi.new("iovec[1]", { { byte, 1 } })
    local control = ffi.new("uint64_t[?]", 2 + MOST_SOCKETS)
    local got = ffi.new("message")
    got.parts, got.count, got.control, got.control_length = part, 1, control, ffi.sizeof(control)
    if C.recvmsg(connection, got, 0) == 1 and byte[0] == string.byte("S") and got.control_length > HEAD then
        local count = (tonumber(ffi.cast("size_t *", control)[0]) - HEAD) / 4
        for place = 1, count do
            found[place] = ffi.cast("int *", control)[3 + place]
        end
    end
    return found
end

local function rest_of(connection)
    local buffer, pieces = ffi.new("char[65536]"), {}
    local count = C.read(connection, buffer, 65536)
    while count > 0 do
        pieces[#pieces + 1] = ffi.string(buffer, count)
        count = C.read(connection, buffer, 65536)
    end
    return table.concat(pieces)
end

local function keep(answer, path)
    local body = string.match(answer, "^HTTP/1%.%d 200 .-\r\n\r\n(.*)$")
    local file = body and io.open(path, "w")
    if file then
        file:write(body)
        file:close()
    end
end

local function take_over(control, state)
    local connection = connected(control)
    if not connection then
        return
    end
    local sockets = sockets_from(connection)
    if #sockets > 0 then
        keep(rest_of(connection), state)
        C.setenv("NGINX", table.concat(sockets, ";") .. ";", 1)
    end
    C.close(connection)
end

C.umask(63)                                  -- 077: what the earlier router knows is for root only
take_over(arg[1], arg[2])
C.umask(18)
local words = ffi.new("const char *[?]", #arg - 1)
for place = 3, #arg do
    words[place - 3] = arg[place]
end
C.execvp(arg[3], words)
io.stderr:write("cannot start ", arg[3], "\n")
os.exit(127)
