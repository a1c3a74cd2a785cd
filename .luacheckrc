-- For `make lint`: luacheck over the Lua of the router and its specifications.
std = "ngx_lua"            -- Lua as nginx runs it: LuaJIT with the globals of its Lua module
max_line_length = 125
cache = false
files["config/router/lua/deployd/pure"] = {            -- decisions: they touch nothing, so nothing is there to touch
    std = "luajit",
    not_globals = { "collectgarbage", "debug", "io", "os", "package", "print" },
}
files["config/router/lua/take_over.lua"].std = "luajit"  -- a program of its own, ahead of nginx
files["tests/unit/router/lua"].std = "luajit+busted"
