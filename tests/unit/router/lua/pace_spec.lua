local pace = require "deployd.pure.pace"

local function arrivals(times)
    return function(ticket) return times[ticket] end
end

describe("a release", function()
    it("begins with an eighth of its pace", function()
        assert.equal(8, pace.first_room(64))
        assert.equal(1, pace.first_room(1))
    end)

    it("admits in order as many as there is place for", function()
        local release = { admitted = 0, under_way = 0, room = 2, longest = 0 }
        assert.equal(2, pace.admit(release, 5, 100, arrivals { 90, 91, 92, 93, 94 }))
        assert.same({ admitted = 2, under_way = 2, room = 2, longest = 10 }, release)
        assert.equal(0, pace.admit(release, 5, 100, arrivals { 90, 91, 92, 93, 94 }))
    end)

    it("passes over who has left, who takes no place", function()
        local release = { admitted = 0, under_way = 0, room = 2, longest = 0 }
        assert.equal(2, pace.admit(release, 5, 100, arrivals { nil, nil, 92, 93, 94 }))
        assert.same({ admitted = 4, under_way = 2, room = 2, longest = 8 }, release)
    end)

    it("admits nobody who has not come", function()
        local release = { admitted = 3, under_way = 0, room = 8, longest = 7 }
        assert.equal(0, pace.admit(release, 3, 100, arrivals {}))
        assert.equal(7, release.longest)
    end)
end)

describe("a release of which no answer comes", function()
    local function widened(under_way, room, quiet_seconds)
        local release = { admitted = 9, under_way = under_way, room = room, longest = 0 }
        return pace.widen_when_stalled(release, 64, quiet_seconds, 10), release.under_way, release.room
    end

    it("goes on with twice as many after a while, and doubles again", function()
        assert.same({ true, 0, 128 }, { widened(8, 8, 10.5) })
        assert.same({ true, 0, 256 }, { widened(128, 128, 10.5) })
    end)

    it("waits while there is place, or it is not long ago", function()
        assert.same({ false, 7, 8 }, { widened(7, 8, 60) })
        assert.same({ false, 8, 8 }, { widened(8, 8, 10) })
    end)
end)
