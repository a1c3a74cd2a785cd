local index = require "deployd.pure.index"

local WITH_TLS = { https_port = 443, zones = {} }
local WITHOUT_TLS = { https_port = false, zones = { shop = "answers-shop" } }

local function compile(text)
    return "compiled " .. text
end

local function route(path, more)
    local made = {
        host = "a.test", scheme = "https", path = path, type = "upstream", targets = { { "10.0.0.2", 80 } }, redirects = {},
    }
    for key, value in pairs(more or {}) do
        made[key] = value
    end
    return made
end

local function build(routes, settings, more)
    local document = { environment = "shop/main", version = "7", robots = true, routes = routes }
    for key, value in pairs(more or {}) do
        document[key] = value
    end
    return index.build(document, settings or WITH_TLS, compile)
end

local function paths(list)
    local found = {}
    for _, one in ipairs(list) do
        found[#found + 1] = one.scheme .. " " .. one.path
    end
    return found
end

describe("the routes of a host", function()
    it("are in lists by scheme, the longest path first", function()
        local built = build { route "/", route "/shop/cart", route "/shop", route("/", { scheme = "http" }) }
        assert.same({ "https /shop/cart", "https /shop", "https /" }, paths(built.https["a.test"]))
        assert.same({ "http /" }, paths(built.http["a.test"]))
        assert.is_nil(built.http["b.test"])
    end)

    it("are answered over http without TLS, those of https first", function()
        local back, other = route("/", { scheme = "http", type = "redirect" }), route("/x", { scheme = "http" })
        local built = build({ back, route "/", other }, WITHOUT_TLS)
        assert.same({ "http /x", "https /" }, paths(built.http["a.test"]))
    end)

    it("are plain when they need nothing but a container", function()
        local rule = { path = "/old", prefix = true, to = "/new" }
        local built = build {
            route "/a", route("/bb", { redirects = { rule } }), route("/ccc", { targets = {} }),
            route("/dddd", { type = "proxy" }),
        }
        local plain = {}
        for _, one in ipairs(built.https["a.test"]) do
            plain[one.path] = one.plain
        end
        assert.same({ ["/a"] = true, ["/bb"] = false, ["/ccc"] = false, ["/dddd"] = false }, plain)
    end)

    it("name their only container in one text", function()
        local built = build { route "/", route("/two", { targets = { { "10.0.0.2", 80 }, { "10.0.0.3", 80 } } }) }
        assert.is_nil(built.https["a.test"][1].only)
        assert.equal("10.0.0.2:80", built.https["a.test"][2].only)
    end)

    it("have their redirects sorted by kind", function()
        local built = build { route("/", { redirects = {
            { path = "/only", to = "/a" }, { path = "/from", prefix = true, to = "/b" },
            { path = "^/c", regexp = true, to = "/c" },
        } }) }
        local rules = built.https["a.test"][1].rules
        assert.equal("/a", rules.exact["/only"].to)
        assert.equal("/b", rules.prefix["/from"].to)
        assert.equal("compiled ^/c", rules.regexps[1].pattern)
        assert.equal(#"/from", rules.longest)
        assert.equal("shop/main", rules.environment)
    end)

    it("keep answers in the share of their project, or in the one of all", function()
        local cached = { enabled = true, default_ttl_seconds = 5, headers = {}, cookies = {} }
        assert.equal("answers-shop", build({ route("/", { cache = cached }) }, WITHOUT_TLS).http["a.test"][1].cache.zone)
        assert.equal("answers", build({ route("/", { cache = cached }) }, WITH_TLS).https["a.test"][1].cache.zone)
    end)
end)

describe("what is asked of visitors", function()
    it("is nothing when nothing is said", function()
        assert.is_nil(build({}).access)
        assert.is_falsy(build({}, WITH_TLS, { access = { rules = {}, users = {} } }).access.users)
    end)

    it("is a name and a password where there are users", function()
        local built = build({}, WITH_TLS, { access = { rules = {}, users = { ann = "$hash" } } })
        assert.same({ ann = "$hash" }, built.access.users)
    end)

    it("guards a host by a version of TLS or by certificates", function()
        local built = build({}, WITH_TLS, { tls = {
            ["a.test"] = { newest_only = true }, ["b.test"] = { authentication = "request" }, ["c.test"] = { hsts = "x" },
        } })
        assert.is_true(built.tls["a.test"].guarded)
        assert.is_true(built.tls["b.test"].guarded)
        assert.is_falsy(built.tls["c.test"].guarded)
    end)
end)

describe("a path", function()
    local list = { { path = "/shop/cart/" }, { path = "/shop" }, { path = "/" } }

    local function matched(path, routes)
        local found = index.match(routes or list, path)
        return found and found.path
    end

    it("is matched by whole segments", function()
        assert.equal("/shop", matched "/shop")
        assert.equal("/shop", matched "/shop/x")
        assert.equal("/", matched "/shopping")
    end)

    it("is matched with or without the slash at a route's end", function()
        assert.equal("/shop/cart/", matched "/shop/cart/x")
        assert.equal("/shop/cart/", matched "/shop/cart")
        assert.equal("/shop", matched "/shop/carts")
    end)

    it("has no route where none is for it", function()
        assert.is_nil(matched("/x", { { path = "/shop" } }))
    end)
end)
