local url = require "deployd.pure.url"

describe("a base with a path behind it", function()
    it("has exactly one slash between", function()
        assert.equal("https://a.test/b", url.joined("https://a.test", "b"))
        assert.equal("https://a.test/b", url.joined("https://a.test/", "/b"))
        assert.equal("https://a.test/evil.test", url.joined("https://a.test", "//evil.test"))
    end)

    it("stays as it is when nothing follows", function()
        assert.equal("https://a.test/", url.joined("https://a.test/", ""))
        assert.equal("https://a.test", url.joined("https://a.test", ""))
    end)

    it("keeps its query behind the path, and its fragment behind that", function()
        assert.equal("/x/y?a=1&b=2#top", url.appended("/x?a=1#top", "/y", "b=2"))
        assert.equal("/x/y?b=2", url.appended("/x", "y", "b=2"))
        assert.equal("/x/y", url.appended("/x", "y", nil))
    end)
end)

describe("a path in a header", function()
    it("is encoded when it was decoded", function()
        assert.equal("/a%20b%0D%0A/%25", url.escaped("/a b\r\n/%"))
    end)

    it("keeps what is encoded already, and only that", function()
        assert.equal("/a%2Fb%20c%25zz%25", url.tidy("/a%2Fb c%zz%"))
    end)

    it("is told without host and query", function()
        assert.equal("/a/b", url.raw_path("http://a.test:80/a/b?c=/d"))
        assert.equal("/a/b", url.raw_path("/a/b#c"))
    end)
end)

describe("what follows the beginning of a path", function()
    it("is as the client wrote it", function()
        assert.equal("/a%2Fb", url.behind("/shop/a%2Fb", "/shop/a/b", #"/shop"))
        assert.equal("/b", url.behind("/sh%6Fp/b", "/shop/b", #"/shop"))
    end)

    it("is encoded anew where nginx has changed more than decoded it", function()
        assert.equal("/y%20z", url.behind("/x/../docs/y%20z", "/docs/y z", #"/docs"))
        assert.equal("/y", url.behind("//docs/y", "/docs/y", #"/docs"))
    end)

    it("begins with a slash where an encoded one ends a part of the path", function()
        assert.equal("/b", url.behind("/shop%2Fb", "/shop/b", #"/shop"))
    end)
end)
