local cache_key = require "deployd.pure.cache_key"

local function prepared(headers, cookies, more)
    local cache = { enabled = true, default_ttl_seconds = 5, headers = headers or {}, cookies = cookies or {} }
    for key, value in pairs(more or {}) do
        cache[key] = value
    end
    return cache_key.prepare(cache, "shop/main", "7", "answers", function(text) return text end)
end

-- Patterns of Lua stand for those of projects; a reason can be given in place of an answer.
local function matches(patterns, name, reason)
    for _, pattern in ipairs(patterns) do
        if reason or string.find(name, pattern) then
            return not reason, reason
        end
    end
    return false
end

local function key(cache, var, url, reason)
    var.host = var.host or "a.test"
    return cache_key.of(cache, "https", url or "/", var, matches, reason)
end

describe("a route", function()
    it("has no cache unless one is switched on", function()
        assert.is_nil(prepared({}, {}, { enabled = false }))
        assert.is_nil(cache_key.prepare(nil, "shop/main", "7", "answers"))
    end)
end)

describe("the key of an answer", function()
    it("differs by environment, version, scheme, host and URL", function()
        assert.equal("shop/main\t7\thttps://a.test/x?y", key(prepared(), {}, "/x?y"))
    end)

    it("differs by the headers that count", function()
        local cache = prepared { "Accept-Language" }
        assert.not_equal(key(cache, { http_accept_language = "de" }), key(cache, { http_accept_language = "en" }))
        assert.equal(key(cache, { http_accept = "a" }), key(cache, { http_accept = "b" }))
    end)

    it("is the same for two values of no header that look like one", function()
        local cache = prepared { "A", "B" }
        assert.not_equal(key(cache, { http_a = "1\t1:2" }), key(cache, { http_a = "1", http_b = "2" }))
    end)

    it("differs by the cookies that count, in whatever order they come", function()
        local cache = prepared({}, { "lang", "/^ab_/" })
        assert.equal(key(cache, { http_cookie = "lang=de; id=1; ab_x=2" }), key(cache, { http_cookie = "ab_x=2;lang=de" }))
        assert.not_equal(key(cache, { http_cookie = "lang=de" }), key(cache, { http_cookie = "lang=en" }))
        assert.not_equal(key(cache, { http_cookie = "ab_x=2" }), key(cache, { http_cookie = "ab_x=3" }))
        assert.equal(key(cache, { http_cookie = "id=1" }), key(cache, { http_cookie = "id=2; odd" }))
    end)

    it("cannot be said when a pattern gives no answer", function()
        local found, reason = key(prepared({}, { "/x/" }), { http_cookie = "id=1" }, "/", "took too long")
        assert.is_nil(found)
        assert.equal("took too long", reason)
    end)
end)

describe("an answer", function()
    local function may_be_shared(more, cache)
        local var = { request_method = "GET", deployd_client_verify = "" }
        for name, value in pairs(more or {}) do
            var[name] = value
        end
        return cache_key.may_be_shared(cache or prepared(), var)
    end

    it("may be shared when it was only asked for", function()
        assert.is_true(may_be_shared())
        assert.is_true(may_be_shared { request_method = "HEAD", http_cookie = "id=1", deployd_client_verify = "NONE" })
    end)

    it("may not be when something is sent, a part is wanted, or somebody shows who it is", function()
        for name, value in pairs {
            request_method = "POST", http_authorization = "Basic x", http_range = "bytes=0-1", http_upgrade = "websocket",
            http_content_length = "1", http_transfer_encoding = "chunked", deployd_client_verify = "SUCCESS",
            http_accept = "text/event-stream",
        } do
            assert.is_false(may_be_shared { [name] = value })
        end
    end)

    it("may not be with any cookie where each counts", function()
        assert.is_false(may_be_shared({ http_cookie = "id=1" }, prepared({}, { "*" })))
        assert.is_true(may_be_shared({}, prepared({}, { "*" })))
    end)
end)
