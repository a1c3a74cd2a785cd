local cookie = require "deployd.pure.cookie"

describe("a cookie that is set", function()
    it("keeps a domain within the base", function()
        for _, domain in ipairs { "shop.test", ".shop.test", "a.shop.test", "SHOP.test" } do
            local text = "id=1; Path=/; Domain=" .. domain .. "; Secure"
            assert.equal(text, cookie.kept_within(text, "shop.test"))
        end
    end)

    it("loses a domain that leads out of it", function()
        for _, attribute in ipairs {
            "Domain=test", "domain=.other.test", " DOMAIN = myshop.test", "Domain=\"x\"", "Domain=",
            "Do main=shop.test.evil",
        } do
            assert.equal("id=1; Secure", cookie.kept_within("id=1;" .. attribute .. "; Secure", "shop.test"))
        end
    end)

    it("loses every domain where the host has no base", function()
        assert.equal("id=1", cookie.kept_within("id=1; Domain=shop.test", ""))
    end)

    it("keeps a value that looks like a domain", function()
        assert.equal("domain=other.test; Path=/", cookie.kept_within("domain=other.test; Path=/", "shop.test"))
    end)
end)

describe("an answer that clears what a browser has", function()
    it("forgets cookies by their name or with everything", function()
        assert.is_true(cookie.forgets '"cache", "Cookies"')
        assert.is_true(cookie.forgets { '"cache"', '"*"' })
        assert.is_false(cookie.forgets '"cache"')
    end)
end)

describe("the cookies of a visitor", function()
    it("go on without one", function()
        assert.equal("a=1; b=2", cookie.without("pass", "a=1; pass=x;  b=2 "))
        assert.equal("passer=1; a=pass=x", cookie.without("pass", "passer=1; a=pass=x"))
    end)

    it("are gone when that was the only one", function()
        assert.is_nil(cookie.without("pass", "pass=x"))
        assert.is_nil(cookie.without("pass", " ; pass=x; "))
    end)

    it("are looked through at once, whatever blanks they have", function()
        local blanks, began = string.rep(" ", 16000), os.clock()
        for _, sent in ipairs { blanks, "a" .. blanks, blanks .. "a", "a" .. blanks .. "b" } do
            cookie.without("pass", sent)
        end
        assert.is_true(os.clock() - began < 0.1)
    end)
end)
