local redirects = require "deployd.pure.redirects"

local OURS = { ["a.test"] = true }
local function is_ours(host) return OURS[host] end

describe("a URL of ours", function()
    it("is given the scheme and the port that really answer", function()
        local other_ports = { http_port = 8080, https_port = 8443 }
        assert.equal("https://a.test:8443/x", redirects.reachable("https://a.test/x", other_ports, is_ours))
        assert.equal("http://A.test:8080", redirects.reachable("http://A.test", other_ports, is_ours))
        local usual_ports, without_tls = { http_port = 80, https_port = 443 }, { http_port = 80, https_port = false }
        assert.equal("https://a.test/x", redirects.reachable("https://a.test/x", usual_ports, is_ours))
        assert.equal("http://a.test/x", redirects.reachable("https://a.test/x", without_tls, is_ours))
    end)

    it("is left as it is with a port of its own, and so are others and paths", function()
        local without_tls = { http_port = 8080, https_port = false }
        for _, to in ipairs { "https://a.test:1/x", "https://b.test/x", "/x", "ftp://a.test/" } do
            assert.equal(to, redirects.reachable(to, without_tls, is_ours))
        end
    end)
end)

describe("a star in a target", function()
    it("stands for what it stood for in the request", function()
        assert.equal("https://x.y.b.test/", redirects.unstarred("https://*.b.test/", "*.a.test", "x.y.a.test"))
        assert.equal("https://*.b.test/", redirects.unstarred("https://*.b.test/", "a.test", "a.test"))
    end)
end)

describe("the rule for a path", function()
    local exact, prefix, deeper, root = { to = "/1" }, { to = "/2" }, { to = "/3" }, { to = "/4" }
    local rules = {
        exact = { ["/a/b"] = exact }, prefix = { ["/a"] = prefix, ["/a/b/c"] = deeper, ["/"] = root }, longest = #"/a/b/c",
    }

    local function found(path, from)
        local rule, count = redirects.rule_for(from or rules, path)
        return rule and rule.to, count
    end

    it("is the path's own before any prefix", function()
        assert.same({ "/1", 4 }, { found "/a/b" })
    end)

    it("is the longest prefix of whole segments", function()
        assert.same({ "/3", 6 }, { found "/a/b/c/d" })
        assert.same({ "/2", 2 }, { found "/a/b/cd" })
        assert.same({ "/2", 2 }, { found "/a" })
        assert.same({ "/4", 1 }, { found "/ab" })
        assert.same({ "/4", 1 }, { found "/" })
    end)

    it("is none where none is for it", function()
        assert.is_nil(found("/x", { exact = {}, prefix = { ["/a"] = prefix }, longest = 2 }))
        assert.is_nil(found("/x", { exact = {}, prefix = {}, longest = 0 }))
    end)

    it("is found at once in a path of thousands of slashes", function()
        local began = os.clock()
        for _ = 1, 100 do
            found(string.rep("/", 16000), { exact = {}, prefix = { ["/a"] = prefix }, longest = 2 })
        end
        assert.is_true(os.clock() - began < 1)
    end)
end)

describe("a target with variables", function()
    local asked = { args = "q=1", uri = "/a b", request_uri = "/a%20b?q=1", arg_q = "1", is_args = "?" }

    local function filled(to, groups, var)
        return redirects.filled(to, groups or {}, var or asked)
    end

    it("is filled with what a pattern caught, encoded", function()
        assert.equal("/new/x%20y", (filled("/new/$1", { "x y" })))
        assert.equal("/new/", (filled("/new/$2", { "x" })))
    end)

    it("gets the path as the client wrote it", function()
        assert.equal("https://b.test/a%20b", (filled "https://b.test$uri"))
    end)

    it("takes the query along, unless it says itself what becomes of it", function()
        assert.same({ "/x", "q=1" }, { filled "/x" })
        assert.same({ "/x?q=1" }, { filled "/x$is_args$args" })
        assert.same({ "/x/1" }, { filled "/x/$arg_q" })
    end)

    it("keeps a dollar that is no variable", function()
        assert.equal("/$price", (filled "/$price"))
    end)

    it("lets no visitor choose the host, nor write a header", function()
        assert.equal("/evil.test", (filled("/$1", { "/evil.test" })))
        assert.equal("/evil.test", (filled("/$args", {}, { args = [[\evil.test]] })))
        assert.equal("/xSet-Cookie: a", (filled("/$args", {}, { args = "x\r\nSet-Cookie: a" })))
        assert.equal("//b.test/x", (filled("//b.test/$1", { "x" })))
    end)
end)
