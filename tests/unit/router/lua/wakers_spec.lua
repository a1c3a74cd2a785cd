local wakers = require "deployd.pure.wakers"

local FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

describe("an environment that is asleep", function()
    it("is woken by people and programs that want something of it", function()
        assert.is_true(wakers.wakes("GET", "/", FIREFOX))
        assert.is_true(wakers.wakes("POST", "/cart", "curl/8.1"))
        assert.is_true(wakers.wakes("GET", "/", nil))
    end)

    it("is not woken by who only looks", function()
        for _, method in ipairs { "HEAD", "OPTIONS", "TRACE" } do
            assert.is_false(wakers.wakes(method, "/", FIREFOX))
        end
    end)

    it("is not woken for its robots.txt", function()
        assert.is_false(wakers.wakes("GET", "/robots.txt", FIREFOX))
        assert.is_true(wakers.wakes("GET", "/robots.txt/more", FIREFOX))
    end)

    it("is not woken by crawlers and monitors", function()
        for _, agent in ipairs {
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "UptimeRobot/2.0",
            "Sogou web spider/4.0", "facebookexternalhit/1.1", "deployd health monitor",
        } do
            assert.is_false(wakers.wakes("GET", "/", agent), agent)
        end
    end)

    it("looks at the beginning of a name alone", function()
        assert.is_true(wakers.wakes("GET", "/", string.rep("x", 300) .. "bot"))
    end)
end)
