-- A dissector for JetStreamProto: Wireshark and tshark, 4.0 or later.
--
--   sealed datagrams   what anybody on the path sees: spec/02-packets.md
--   opened packets     every frame and handshake message: README.md (the wrapper), spec/03-frames.md,
--                      spec/04-handshake.md
--
-- Numbers of up to 62 bits are UInt64 objects; lengths and offsets within a packet are Lua numbers.

local jsp = Proto("jsp", "JetStreamProto")

-- Numbers of the protocol ---------------------------------------------------------------------

local VERSION_1 = 0x4a535001
local TAG_LEN = 16
local MAX_ID_LEN = 20
local SMALLEST_SHORT = 21 -- a stateless reset
local MAX_ACK_RANGES = 255
local MAX_REASON = 1024
local OPENED_MAGIC = "0f4a53506f70656e"
local OPENED_LEN = 24
local OPENED_VERSION = 1
local SHORT = 4 -- a packet type beside the four of long headers

local KINDS = { [0] = "Initial", "Early", "Handshake", "Retry", "Data" }
local VERSIONS = { [0] = "Version Negotiation", [VERSION_1] = "JSP 1" }
local SUITES = { "AES-256-GCM", "ChaCha20-Poly1305", "AES-256-GCM-SIV" }
local MESSAGES = { "ClientHello", "ServerHello", "Encrypted", "Identity", "Proof", "Finished" }
local IDENTITY_FORMS = { [0] = "none", "hybrid", "Ed25519", "fingerprint" }
local CLIENT_AUTH = { [0] = "none", "optional", "required" }
local PARAMETERS = {
    [0x00] = "original_dcid", [0x01] = "idle_timeout", [0x02] = "reset_token", [0x03] = "max_datagram",
    [0x04] = "max_data", [0x05] = "stream_bidi_local", [0x06] = "stream_bidi_remote",
    [0x07] = "stream_uni", [0x08] = "streams_bidi", [0x09] = "streams_uni", [0x0b] = "ack_delay",
    [0x0e] = "cid_limit", [0x0f] = "initial_scid", [0x10] = "retry_scid", [0x11] = "min_ack_delay",
}
local INTEGER_PARAMETERS = {}
for id, name in pairs(PARAMETERS) do
    local opaque = id == 0x00 or id == 0x02 or id == 0x0f or id == 0x10
    INTEGER_PARAMETERS[name] = not opaque
end
local ERRORS = {
    [0x00] = "NO_ERROR", "INTERNAL", "REFUSED", "FLOW_CONTROL", "STREAM_LIMIT", "STREAM_STATE",
    "FINAL_SIZE", "FRAME_ENCODING", "PARAMETER", "CONNECTION_ID_LIMIT", "PROTOCOL_VIOLATION",
    "CRYPTO_BUFFER", "KEY_UPDATE", "AEAD_LIMIT", "FRAGMENTATION", "VERSION", "HANDSHAKE_MESSAGE",
    "NO_SUITE", "NO_ALPN", "IDENTITY", "FINISHED", "KEY_SHARE", "UNKNOWN_NAME", "IDENTITY_REQUIRED",
}

-- Fields --------------------------------------------------------------------------------------

local F = {}
local fields = {}

local function field(key, make, name, ...)
    F[key] = make("jsp." .. key, name, ...)
    fields[#fields + 1] = F[key]
end

local U8, U16, U24, U32, U64 =
    ProtoField.uint8, ProtoField.uint16, ProtoField.uint24, ProtoField.uint32, ProtoField.uint64
local BYTES, TEXT, BIT = ProtoField.bytes, ProtoField.string, ProtoField.bool

field("kind", TEXT, "Packet")
field("long", BIT, "Long header", 8, nil, 0x80)
field("fixed", BIT, "Fixed bit", 8, nil, 0x40)
field("type", U8, "Type", base.DEC, KINDS, 0x30)
field("protected_bits.long", U8, "Protected bits", base.HEX, nil, 0x0f)
field("protected_bits.short", U8, "Protected bits", base.HEX, nil, 0x1f)
field("unused_bits", U8, "Unused bits", base.HEX, nil, 0x0f)
field("reserved.long", U8, "Reserved", base.HEX, nil, 0x0c)
field("reserved.short", U8, "Reserved", base.HEX, nil, 0x38)
field("key_phase", BIT, "Key phase", 8, nil, 0x04)
field("number_len", U8, "Packet number length - 1", base.DEC, nil, 0x03)
field("version", U32, "Version", base.HEX, VERSIONS)
field("dcid_len", U8, "Destination ID length")
field("dcid", BYTES, "Destination ID")
field("scid_len", U8, "Source ID length")
field("scid", BYTES, "Source ID")
field("token_len", U64, "Token length")
field("token", BYTES, "Token")
field("length", U64, "Length")
field("number.truncated", U32, "Packet number, truncated")
field("number", U64, "Packet number")
field("protected", BYTES, "Protected: packet number, payload, tag")
field("retry.tag", BYTES, "Integrity tag")
field("supported_version", U32, "Supported version", base.HEX, VERSIONS)
field("other", BYTES, "Content of another version")

field("opened.version", U8, "Version of the record")
field("opened.flags", U8, "Flags", base.HEX)
field("opened.server", BIT, "Sent by the server", 8, nil, 0x01)
field("opened.received", BIT, "Recorded by the receiver", 8, nil, 0x02)
field("opened.header_len", U16, "Header length")
field("opened.generation", U32, "Key generation")

field("frame", TEXT, "Frame")
field("frame.type", U8, "Type", base.HEX)
field("padding.length", U32, "Bytes")
field("ack.largest", U64, "Largest acknowledged")
field("ack.delay", U64, "Delay (us)")
field("ack.range_count", U64, "Range count")
field("ack.first_range", U64, "First range")
field("ack.gap", U64, "Gap")
field("ack.range_length", U64, "Range length")
field("ack.range", TEXT, "Acknowledged")
field("ack.ect0", U64, "ECT(0) count")
field("ack.ect1", U64, "ECT(1) count")
field("ack.ce", U64, "ECN-CE count")
field("ack_frequency.sequence", U64, "Sequence number")
field("ack_frequency.threshold", U64, "Ack-eliciting threshold")
field("ack_frequency.max_delay", U64, "Requested max ack delay (us)")
field("ack_frequency.reordering", U64, "Reordering threshold")
field("crypto.offset", U64, "Offset")
field("crypto.length", U64, "Length")
field("crypto.data", BYTES, "Data")
field("stream.fin", BIT, "FIN", 8, nil, 0x40)
field("stream.length_present", BIT, "Length present", 8, nil, 0x20)
field("stream.offset_present", BIT, "Offset present", 8, nil, 0x10)
field("stream.width", U8, "Width", base.DEC, { [0] = "1 byte", "2 bytes", "3 bytes", "8 bytes" }, 0x0c)
field("stream.high", U8, "High bits of the ID", base.DEC, nil, 0x03)
field("stream.id", U64, "Stream ID")
field("stream.offset", U32, "Offset, low 32 bits")
field("stream.position", U64, "Position")
field("stream.length", U64, "Length")
field("stream.data", BYTES, "Data")
field("stream.error", U64, "Application error code")
field("stream.final_size", U64, "Final size")
field("max_data", U64, "Maximum data")
field("max_stream_data", U64, "Maximum stream data")
field("max_streams", U64, "Maximum streams")
field("cid.sequence", U64, "Sequence number")
field("cid.retire_prior_to", U64, "Retire prior to")
field("cid.length", U8, "Length")
field("cid.id", BYTES, "Connection ID")
field("cid.reset_token", BYTES, "Stateless reset token")
field("close.code", U64, "Error code")
field("close.name", TEXT, "Error")
field("close.frame_type", U8, "Frame type", base.HEX)
field("close.app_code", U64, "Application error code")
field("close.reason_len", U64, "Reason length")
field("close.reason", TEXT, "Reason")

field("handshake", TEXT, "Message")
field("handshake.type", U8, "Type", base.DEC, MESSAGES)
field("handshake.length", U24, "Length")
field("handshake.version", U32, "Version", base.HEX, VERSIONS)
field("handshake.random", BYTES, "Random")
field("handshake.suite", U8, "Suite", base.DEC, SUITES)
field("handshake.feature", U16, "Feature", base.HEX)
field("handshake.public_key", BYTES, "X-Wing public key")
field("handshake.ciphertext", BYTES, "X-Wing ciphertext")
field("handshake.psk", U8, "PSK accepted")
field("handshake.alpn", TEXT, "ALPN name")
field("handshake.server_name", TEXT, "Server name")
field("handshake.held", BYTES, "Held fingerprint")
field("handshake.early", U8, "Early data verdict")
field("handshake.client_auth", U8, "Client authentication", base.DEC, CLIENT_AUTH)
field("handshake.form", U8, "Form", base.DEC, IDENTITY_FORMS)
field("handshake.ed25519", BYTES, "Ed25519 key")
field("handshake.ml_dsa", BYTES, "ML-DSA-65 key")
field("handshake.fingerprint", BYTES, "Fingerprint")
field("handshake.ed25519_signature", BYTES, "Ed25519 signature")
field("handshake.ml_dsa_signature", BYTES, "ML-DSA-65 signature")
field("handshake.verify_data", BYTES, "Verify data")
field("extension.type", U16, "Extension", base.HEX)
field("extension.value", BYTES, "Value")
field("parameter", TEXT, "Parameter")
field("parameter.id", U64, "ID")
field("parameter.length", U64, "Length")
field("parameter.value", U64, "Value")
field("parameter.bytes", BYTES, "Value")
jsp.fields = fields

local MALFORMED =
    ProtoExpert.new("jsp.malformed", "Malformed", expert.group.MALFORMED, expert.severity.ERROR)
local FORBIDDEN =
    ProtoExpert.new("jsp.forbidden", "Not allowed here", expert.group.PROTOCOL, expert.severity.ERROR)
jsp.experts = { MALFORMED, FORBIDDEN }

jsp.prefs.cid_len = Pref.uint("Length of connection IDs in short headers", 8,
    "The receiver of a packet chooses it; the reference implementation's IDs have 8 bytes")

-- What earlier packets of the capture tell about later ones ------------------------------------

local endpoints -- "address:port" of whoever sent or received something that is JSP without doubt
local positions -- of each STREAM frame of the capture
local expected -- position behind the highest byte of each stream
local handshakes -- bytes and messages of each direction and space

local function forget()
    endpoints, positions, expected, handshakes = {}, {}, {}, {}
end
forget()
jsp.init = forget

-- Reading -------------------------------------------------------------------------------------

-- Ends the dissection of a packet, not of the capture.
local function malformed(what)
    error({ malformed = what }, 0)
end

local Reader = {}
Reader.__index = Reader

-- Reads `tvb` from `from` up to `to`, and never beyond.
local function reader(tvb, from, to)
    return setmetatable({ tvb = tvb, at = from, to = to }, Reader)
end

function Reader:left()
    return self.to - self.at
end

function Reader:take(n)
    if n > self:left() then malformed("ends too early") end
    local range = self.tvb(self.at, n)
    self.at = self.at + n
    return range
end

-- A reader of the next `n` bytes.
function Reader:part(n)
    local from = self.at
    self:take(n)
    return reader(self.tvb, from, self.at)
end

-- A variable-length integer (RFC 9000, section 16), and where it stands.
function Reader:varint()
    if self:left() < 1 then malformed("ends too early") end
    local len = 2 ^ self.tvb(self.at, 1):bitfield(0, 2)
    local range = self:take(len)
    if len == 8 then
        return UInt64.new(range(4, 4):uint(), range(0, 4):bitfield(2, 30)), range
    end
    return UInt64.new(range:bitfield(2, 8 * len - 2)), range
end

-- Reads and shows.
function Reader:uint(tree, key, len)
    local range = self:take(len)
    tree:add(F[key], range)
    return range:uint()
end

function Reader:var(tree, key)
    local value, range = self:varint()
    tree:add(F[key], range, value)
    return value
end

function Reader:bytes(tree, key, len)
    local range = self:take(len)
    if len > 0 then tree:add(F[key], range) end
    return range
end

function Reader:text(tree, key, len)
    local range = self:take(len)
    local text = len > 0 and range:string(ENC_UTF_8) or ""
    tree:add(F[key], range, text)
    return text
end

local function id_text(range)
    return range:len() > 0 and tostring(range:bytes()):lower() or "none"
end

-- Runs `dissect`; what it finds malformed is shown in `tree`, and returned.
local function guarded(tree, what, dissect, ...)
    local ok, result = pcall(dissect, ...)
    if ok then return nil, result end
    if type(result) ~= "table" or not result.malformed then error(result, 0) end
    tree:add_proto_expert_info(MALFORMED, ("Malformed %s: %s"):format(what, result.malformed))
    return "malformed: " .. result.malformed
end

-- Handshake messages --------------------------------------------------------------------------

-- Section 12.4: numbers that mean nothing, so that nobody comes to rely on those of today.
local function mark_reserved(item, range)
    for at = 0, range:len() - 1 do
        if range(at, 1):bitfield(4, 4) ~= 0x0a then return end
    end
    item:append_text(" (reserved)")
end

local function list_of(r, tree, key, len)
    local list = r:part(r:take(1):uint())
    while list:left() > 0 do
        local range = list:take(len)
        mark_reserved(tree:add(F[key], range), range)
    end
end

local function extensions(r, tree)
    local list = r:part(r:take(2):uint())
    while list:left() > 0 do
        local range = list:take(4)
        local len = range(2, 2):uint()
        local item = tree:add(F["extension.type"], range(0, 2))
        mark_reserved(item, range(0, 2))
        list:bytes(item, "extension.value", len)
    end
end

local function parameters(r, tree)
    local list = r:part(r:take(2):uint())
    while list:left() > 0 do
        local from = list.at
        local id, range = list:varint()
        local name = id:higher() == 0 and PARAMETERS[id:lower()] or tostring(id)
        local item = tree:add(F["parameter"], range, name)
        item:add(F["parameter.id"], range, id)
        local len = list:var(item, "parameter.length"):tonumber()
        local text
        if INTEGER_PARAMETERS[name] then
            local part = list:part(len)
            text = tostring(part:var(item, "parameter.value"))
            if part:left() > 0 then malformed("a parameter that does not fill its length") end
        else
            text = id_text(list:bytes(item, "parameter.bytes", len))
        end
        item:set_text(("Parameter: %s = %s"):format(name, text))
        item:set_len(list.at - from)
    end
end

local BODIES = {
    function(r, tree) -- ClientHello
        list_of(r, tree, "handshake.version", 4)
        r:bytes(tree, "handshake.random", 32)
        list_of(r, tree, "handshake.suite", 1)
        list_of(r, tree, "handshake.feature", 2)
        r:bytes(tree, "handshake.public_key", 1216)
        parameters(r, tree)
        local names = r:part(r:take(2):uint())
        while names:left() > 0 do names:text(tree, "handshake.alpn", names:take(1):uint()) end
        r:text(tree, "handshake.server_name", r:take(1):uint())
        for _ = 1, r:take(1):uint() do r:bytes(tree, "handshake.held", 32) end
        extensions(r, tree)
    end,
    function(r, tree) -- ServerHello
        r:uint(tree, "handshake.version", 4)
        r:bytes(tree, "handshake.random", 32)
        r:uint(tree, "handshake.suite", 1)
        r:uint(tree, "handshake.psk", 1)
        r:bytes(tree, "handshake.ciphertext", 1120)
        extensions(r, tree)
    end,
    function(r, tree) -- Encrypted
        list_of(r, tree, "handshake.version", 4)
        list_of(r, tree, "handshake.feature", 2)
        parameters(r, tree)
        r:text(tree, "handshake.alpn", r:take(1):uint())
        r:uint(tree, "handshake.early", 1)
        r:uint(tree, "handshake.client_auth", 1)
        extensions(r, tree)
    end,
    function(r, tree) -- Identity
        local form = r:uint(tree, "handshake.form", 1)
        if form == 1 or form == 2 then r:bytes(tree, "handshake.ed25519", 32) end
        if form == 1 then r:bytes(tree, "handshake.ml_dsa", 1952) end
        if form == 3 then r:bytes(tree, "handshake.fingerprint", 32) end
        if form > 3 then malformed("an unknown form of identity") end
    end,
    function(r, tree) -- Proof
        r:bytes(tree, "handshake.ed25519_signature", 64)
        if r:left() > 0 then r:bytes(tree, "handshake.ml_dsa_signature", 3309) end
    end,
    function(r, tree) -- Finished
        r:bytes(tree, "handshake.verify_data", 32)
    end,
}

-- Notes the bytes of a CRYPTO frame, in order; a frame that leaves a gap waits for a repetition.
local function note_crypto(key, offset, data)
    local known = handshakes[key] or { bytes = "", next = 0, messages = {} }
    handshakes[key] = known
    local have = #known.bytes
    if offset <= have and offset + #data > have and have < 16384 then
        known.bytes = known.bytes .. data:sub(have - offset + 1)
    end
    while #known.bytes >= known.next + 4 do
        local kind, a, b, c = known.bytes:byte(known.next + 1, known.next + 4)
        local len = (a * 256 + b) * 256 + c
        known.messages[#known.messages + 1] = { at = known.next, kind = kind, len = len }
        known.next = known.next + 4 + len
    end
    return known
end

local function dissect_message(tree, known, message)
    local tvb = ByteArray.new(known.bytes:sub(message.at + 1, message.at + 4 + message.len), true)
        :tvb("Handshake message")
    local name = MESSAGES[message.kind] or ("type " .. message.kind)
    local item = tree:add(F["handshake"], tvb(), name)
    item:set_text("Message: " .. name)
    local r = reader(tvb, 0, tvb:len())
    r:uint(item, "handshake.type", 1)
    r:uint(item, "handshake.length", 3)
    guarded(item, "message", function()
        local body = BODIES[message.kind]
        if not body then malformed("an unknown message") end
        body(r, item)
        if r:left() > 0 then malformed("bytes left over in a message") end
    end)
end

-- The messages that begin in a CRYPTO frame, and in full those that end there.
local function messages(tree, context, offset, range)
    local key = context.handshake .. context.kind .. tostring(context.server)
    local known = handshakes[key]
    if not known or not context.visited then known = note_crypto(key, offset, range:raw()) end
    local names, last = {}, offset + range:len()
    for _, message in ipairs(known.messages) do
        local behind = message.at + 4 + message.len
        if offset <= message.at and message.at < last then
            names[#names + 1] = MESSAGES[message.kind] or ("message " .. message.kind)
            local shown = range(message.at - offset, math.min(4, last - message.at))
            tree:add(shown, ("Begins: %s, %d bytes"):format(names[#names], message.len))
        end
        if offset < behind and behind <= last and behind <= #known.bytes then
            dissect_message(tree, known, message)
        end
    end
    return #names > 0 and " (" .. table.concat(names, ", ") .. ")" or ""
end

-- Frames --------------------------------------------------------------------------------------

local function ack_range(tree, range, smallest, largest)
    local text = smallest == largest and tostring(largest)
        or ("%s-%s"):format(tostring(smallest), tostring(largest))
    tree:add(F["ack.range"], range, text):set_generated()
    return text
end

local function ack(r, tree, context, kind)
    local one, two = UInt64.new(1), UInt64.new(2)
    local from = r.at
    local largest = r:var(tree, "ack.largest")
    r:var(tree, "ack.delay")
    local count = r:var(tree, "ack.range_count"):tonumber()
    if count > MAX_ACK_RANGES then malformed("more than 256 ranges") end
    local len = r:var(tree, "ack.first_range")
    if largest < len then malformed("a range below 0") end
    local smallest = largest - len
    local ranges = { ack_range(tree, r.tvb(from, r.at - from), smallest, largest) }
    for _ = 1, count do
        from = r.at
        local gap = r:var(tree, "ack.gap")
        len = r:var(tree, "ack.range_length")
        if smallest < gap + two then malformed("a range below 0") end
        largest = smallest - gap - two
        if largest < len then malformed("a range below 0") end
        smallest = largest - len
        ranges[#ranges + 1] = ack_range(tree, r.tvb(from, r.at - from), smallest, largest)
    end
    if kind == 0x03 then
        r:var(tree, "ack.ect0")
        r:var(tree, "ack.ect1")
        r:var(tree, "ack.ce")
    end
    local shown = table.concat(ranges, " ", 1, math.min(#ranges, 4))
    return #ranges > 4 and ("%s and %d more"):format(shown, #ranges - 4) or shown
end

local function crypto(r, tree, context)
    local offset = r:var(tree, "crypto.offset")
    local len = r:var(tree, "crypto.length"):tonumber()
    local data = r:bytes(tree, "crypto.data", len)
    local begins = ""
    if len > 0 and offset:tonumber() + len <= 16384 then
        begins = messages(tree, context, offset:tonumber(), data)
    end
    return ("off %s len %d%s"):format(tostring(offset), len, begins)
end

-- Section 3.5.1: the position with these low bits that is nearest to what is expected.
local function whole_position(near, low)
    local half = UInt64.new(0x80000000)
    local position = UInt64.new(low, near:higher())
    if position + half < near then return UInt64.new(low, near:higher() + 1) end
    if near + half <= position and near:higher() > 0 then
        return UInt64.new(low, near:higher() - 1)
    end
    return position
end

local STREAM_KINDS = {
    [0] = " (client's, bidirectional)", " (server's, bidirectional)", " (client's, unidirectional)",
    " (server's, unidirectional)",
}

local function stream(r, tree, context)
    local first = r.tvb(r.at - 1, 1)
    for _, bits in ipairs({ "fin", "length_present", "offset_present", "width", "high" }) do
        tree:add(F["stream." .. bits], first)
    end
    local width, high = first:bitfield(4, 2), first:bitfield(6, 2)
    local id, range
    if width == 3 then
        range = r:take(8)
        if high ~= 0 or range:bitfield(0, 2) ~= 0 then malformed("a stream ID of 2^62 or more") end
        id = range:uint64()
    else
        range = r:take(width + 1)
        id = UInt64.new(high * 2 ^ (8 * (width + 1)) + range:uint())
    end
    tree:add(F["stream.id"], range, id):append_text(STREAM_KINDS[id:lower() % 4])

    -- Without the field the position is 0, never "the next byte".
    local position = UInt64.new(0)
    local slot = context.number .. ":" .. r.at
    local of_stream = context.flow .. ":" .. tostring(id)
    if first:bitfield(3, 1) == 1 then
        range = r:take(4)
        tree:add(F["stream.offset"], range)
        if not positions[slot] then
            positions[slot] = whole_position(expected[of_stream] or position, range:uint())
        end
        position = positions[slot]
    end
    tree:add(F["stream.position"], range, position):set_generated()
    local len = r:left()
    if first:bitfield(2, 1) == 1 then len = r:var(tree, "stream.length"):tonumber() end
    r:bytes(tree, "stream.data", len)
    local behind = position + UInt64.new(len)
    if behind:higher() >= 0x40000000 then malformed("data beyond 2^62 - 1") end
    if not expected[of_stream] or expected[of_stream] < behind then expected[of_stream] = behind end
    return ("%s off %s len %d%s"):format(tostring(id), tostring(position), len,
        first:bitfield(1, 1) == 1 and " FIN" or "")
end

-- A frame of variable-length integers only.
local function integers(...)
    local keys = { ... }
    return function(r, tree)
        local values = {}
        for i, key in ipairs(keys) do values[i] = tostring(r:var(tree, key)) end
        return table.concat(values, " ")
    end
end

local function streams_limit(r, tree)
    local max = r:var(tree, "max_streams")
    if max > UInt64.new(0, 0x10000000) then malformed("more than 2^60 streams") end
    return tostring(max)
end

local function new_connection_id(r, tree)
    local sequence = r:var(tree, "cid.sequence")
    if sequence < r:var(tree, "cid.retire_prior_to") then
        malformed("Retire Prior To above the sequence number")
    end
    local len = r:uint(tree, "cid.length", 1)
    if len < 1 or len > MAX_ID_LEN then malformed("a connection ID of " .. len .. " bytes") end
    local id = r:bytes(tree, "cid.id", len)
    r:bytes(tree, "cid.reset_token", 16)
    return ("%s %s"):format(tostring(sequence), id_text(id))
end

local function reason(r, tree)
    local len = r:var(tree, "close.reason_len"):tonumber()
    if len > MAX_REASON then malformed("a reason of more than 1,024 bytes") end
    local text = r:text(tree, "close.reason", len)
    return text ~= "" and (' "%s"'):format(text) or ""
end

local function connection_close(r, tree)
    local code, range = r:varint()
    tree:add(F["close.code"], range, code)
    local name = code:higher() == 0 and ERRORS[code:lower()] or "unknown"
    tree:add(F["close.name"], range, name)
    r:uint(tree, "close.frame_type", 1)
    return ("%s (%s)%s"):format(name, tostring(code), reason(r, tree))
end

local function application_close(r, tree)
    local code = r:var(tree, "close.app_code")
    return tostring(code) .. reason(r, tree)
end

local function nothing() return "" end

-- Section 3.1: in which packets a frame may come (Initial, Handshake, Data from Client or Server).
local FRAMES = {
    [0x00] = { "PADDING", "IHCS" },
    [0x01] = { "PING", "IHCS", nothing },
    [0x02] = { "ACK", "IHCS", ack },
    [0x03] = { "ACK_ECN", "IHCS", ack },
    [0x04] = { "RESET_STREAM", "CS", integers("stream.id", "stream.error", "stream.final_size") },
    [0x05] = { "STOP_SENDING", "CS", integers("stream.id", "stream.error") },
    [0x06] = { "CRYPTO", "IH", crypto },
    [0x07] = { "ACK_FREQUENCY", "CS", integers("ack_frequency.sequence", "ack_frequency.threshold",
        "ack_frequency.max_delay", "ack_frequency.reordering") },
    [0x10] = { "MAX_DATA", "CS", integers("max_data") },
    [0x11] = { "MAX_STREAM_DATA", "CS", integers("stream.id", "max_stream_data") },
    [0x12] = { "MAX_STREAMS bidirectional", "CS", streams_limit },
    [0x13] = { "MAX_STREAMS unidirectional", "CS", streams_limit },
    [0x14] = { "DATA_BLOCKED", "CS", integers("max_data") },
    [0x15] = { "STREAM_DATA_BLOCKED", "CS", integers("stream.id", "max_stream_data") },
    [0x16] = { "STREAMS_BLOCKED bidirectional", "CS", streams_limit },
    [0x17] = { "STREAMS_BLOCKED unidirectional", "CS", streams_limit },
    [0x18] = { "NEW_CONNECTION_ID", "CS", new_connection_id },
    [0x19] = { "RETIRE_CONNECTION_ID", "CS", integers("cid.sequence") },
    [0x1c] = { "CONNECTION_CLOSE", "IHCS", connection_close },
    [0x1d] = { "APPLICATION_CLOSE", "CS", application_close },
    [0x1e] = { "HANDSHAKE_DONE", "S", nothing },
    [0x1f] = { "IMMEDIATE_ACK", "CS", nothing },
}
local STREAM = { "STREAM", "CS", stream }

-- A run of PADDING is shown as one.
local function padding(r, item)
    local from = r.at - 1
    while r:left() > 0 and r.tvb(r.at, 1):uint() == 0 do r.at = r.at + 1 end
    local len = r.at - from
    item:add(F["padding.length"], r.tvb(from, len), len)
    return tostring(len)
end

local function frame(r, tree, context)
    local from = r.at
    local kind = r:take(1):uint()
    local form = kind >= 0x80 and STREAM or FRAMES[kind]
    local name = form and form[1] or ("0x%02x"):format(kind)
    local item = tree:add(F["frame"], r.tvb(from, 1), name)
    item:add(F["frame.type"], r.tvb(from, 1))
    local text
    local failure = guarded(item, "frame", function()
        if not form then malformed("an unknown type of frame") end
        text = (form[3] or padding)(r, item, context, kind)
    end)
    item:set_len(r.at - from)
    local summary = name .. (text and text ~= "" and " " .. text or "")
    item:set_text("Frame: " .. summary)
    if form and not form[2]:find(context.place, 1, true) then
        item:add_proto_expert_info(FORBIDDEN, name .. " is not allowed in this packet")
    end
    return failure and summary .. " " .. failure or summary, failure
end

local function frames(r, tree, context, summaries)
    if r:left() == 0 then
        tree:add_proto_expert_info(FORBIDDEN, "A packet without a frame")
    end
    while r:left() > 0 do
        local summary, failure = frame(r, tree, context)
        summaries[#summaries + 1] = summary
        if failure then return end
    end
end

-- Headers -------------------------------------------------------------------------------------

local function connection_id(r, tree, which, most)
    local len = r:uint(tree, which .. "_len", 1)
    if len > most then malformed("a connection ID of " .. len .. " bytes") end
    return r:bytes(tree, which, len)
end

-- Version, DCID and SCID of a long header, of whatever version.
local function long_ids(r, tree)
    local version = r:uint(tree, "version", 4)
    local most = version == VERSION_1 and MAX_ID_LEN or 255
    local dcid = connection_id(r, tree, "dcid", most)
    local scid = connection_id(r, tree, "scid", most)
    return version, dcid, scid
end

-- What follows the IDs of an Initial, Early or Handshake header, up to the packet number.
local function long_length(r, tree, kind)
    if kind == 0 then
        local token = r:var(tree, "token_len"):tonumber()
        r:bytes(tree, "token", token)
    end
    return r:var(tree, "length"):tonumber()
end

local function negotiation(r, tree)
    if r:left() == 0 or r:left() % 4 ~= 0 then malformed("a list that is no list of versions") end
    local versions = {}
    while r:left() > 0 do
        versions[#versions + 1] = ("0x%08x"):format(r:uint(tree, "supported_version", 4))
    end
    return "Version Negotiation", table.concat(versions, " ")
end

local function retry(r, tree)
    local token = r:left() - TAG_LEN
    if token < 1 then malformed("a Retry without a token") end
    r:bytes(tree, "token", token)
    r:bytes(tree, "retry.tag", TAG_LEN)
    return "Retry", ("token of %d bytes"):format(token)
end

local function sealed_long(r, tree, first)
    local version, dcid, scid = long_ids(r, tree)
    local ids = ("DCID=%s, SCID=%s"):format(id_text(dcid), id_text(scid))
    local name, text
    if version == 0 then
        name, text = negotiation(r, tree)
    elseif version ~= VERSION_1 then
        name, text = ("Version 0x%08x"):format(version), ("len %d"):format(r:left())
        r:bytes(tree, "other", r:left())
    else
        local kind = first:bitfield(2, 2)
        tree:add(F["fixed"], first)
        tree:add(F["type"], first)
        if first:bitfield(1, 1) == 0 then malformed("the fixed bit is 0") end
        tree:add(F[kind == 3 and "unused_bits" or "protected_bits.long"], first)
        if kind == 3 then
            name, text = retry(r, tree)
        else
            local len = long_length(r, tree, kind)
            r:bytes(tree, "protected", len)
            if len < 20 then malformed("shorter than the smallest packet") end
            name, text = KINDS[kind], ("len %d"):format(len)
        end
    end
    return name, ("%s, %s, %s"):format(name, ids, text)
end

local function sealed_short(r, tree, first)
    tree:add(F["fixed"], first)
    if first:bitfield(1, 1) == 0 then malformed("the fixed bit is 0") end
    tree:add(F["protected_bits.short"], first)
    local dcid = r:bytes(tree, "dcid", jsp.prefs.cid_len)
    local len = r:left()
    -- A stateless reset of 21 bytes looks like a packet that is too small.
    r:bytes(tree, "protected", len)
    return "Data", ("Data, DCID=%s, len %d"):format(id_text(dcid), len)
end

-- One packet at the front of `r`; what it is, for the Info column.
local function sealed_packet(r, tree)
    local from = r.at
    local item = tree:add(r.tvb(from, 1), "Packet")
    local name, info
    local failure = guarded(item, "packet", function()
        local first = r:take(1)
        item:add(F["long"], first)
        local form = first:bitfield(0, 1) == 1 and sealed_long or sealed_short
        name, info = form(r, item, first)
    end)
    if failure then
        r.at = r.to
    else
        item:add(F["kind"], r.tvb(from, 1), name):set_generated()
    end
    item:set_len(r.at - from)
    item:set_text(info or failure)
    return info or failure
end

local function sealed(tvb, tree)
    local r, infos = reader(tvb, 0, tvb:captured_len()), {}
    while r:left() > 0 do infos[#infos + 1] = sealed_packet(r, tree) end
    return table.concat(infos, " | ")
end

-- The header of an opened packet; context for its frames.
local function opened_header(r, tree, context)
    local first = r:take(1)
    tree:add(F["long"], first)
    tree:add(F["fixed"], first)
    local long = first:bitfield(0, 1) == 1
    context.kind = long and first:bitfield(2, 2) or SHORT
    if long then
        tree:add(F["type"], first)
        tree:add(F["reserved.long"], first)
        tree:add(F["number_len"], first)
        local _, dcid, scid = long_ids(r, tree)
        if context.kind == 3 then malformed("a Retry has no protection to remove") end
        -- The client's connection ID is the same in all of its handshake.
        context.handshake = id_text(context.server and dcid or scid) .. ":"
        long_length(r, tree, context.kind)
    else
        tree:add(F["reserved.short"], first)
        tree:add(F["key_phase"], first)
        tree:add(F["number_len"], first)
    end
    local number = first:bitfield(6, 2) + 1
    if not long then r:bytes(tree, "dcid", r:left() - number) end
    r:uint(tree, "number.truncated", number)
    if r:left() > 0 then malformed("bytes left over in the header") end
    context.place = ({ [0] = "I", "-", "H", "-", context.server and "S" or "C" })[context.kind]
end

local function opened(tvb, pinfo, tree)
    local r = reader(tvb, 0, tvb:captured_len())
    local record = tree:add(tvb(0, OPENED_LEN), "Opened packet")
    r:take(8)
    local version = r:uint(record, "opened.version", 1)
    if version ~= OPENED_VERSION then malformed("an unknown version of the record") end
    local flags = r:take(1)
    record:add(F["opened.flags"], flags)
    record:add(F["opened.server"], flags)
    record:add(F["opened.received"], flags)
    local context = {
        server = flags:bitfield(7, 1) == 1,
        number = pinfo.number,
        visited = pinfo.visited,
        flow = ("%s:%d>%s:%d"):format(tostring(pinfo.src), pinfo.src_port, tostring(pinfo.dst),
            pinfo.dst_port),
    }
    context.handshake = context.flow
    local received = flags:bitfield(6, 1) == 1
    local header_len = r:uint(record, "opened.header_len", 2)
    r:uint(record, "opened.generation", 4)
    local number = r:take(8)
    record:add(F["number"], number)
    local item = tree:add(tvb(r.at), "Packet")
    local from = r.at
    local header = r:part(header_len)
    opened_header(header, item:add(tvb(from, header_len), "Header"), context)
    item:add(F["kind"], tvb(from, 1), KINDS[context.kind]):set_generated()
    local title = ("%s #%s%s"):format(KINDS[context.kind], tostring(number:uint64()),
        received and " (received)" or "")
    item:set_text(title)
    local summaries = {}
    frames(r, item, context, summaries)
    return title .. ": " .. table.concat(summaries, ", ")
end

-- Entrances -----------------------------------------------------------------------------------

local function is_opened(tvb)
    return tvb:captured_len() >= OPENED_LEN and tostring(tvb(0, 8):bytes()):lower() == OPENED_MAGIC
end

function jsp.dissector(tvb, pinfo, tree)
    if tvb:captured_len() == 0 then return 0 end
    pinfo.cols.protocol = "JSP"
    local item = tree:add(jsp, tvb())
    local info
    if is_opened(tvb) then
        local failure
        failure, info = guarded(item, "packet", opened, tvb, pinfo, item)
        info = info or failure
    else
        info = sealed(tvb, item)
    end
    pinfo.cols.info = info
    return tvb:captured_len()
end

-- "JSP" and a number, in a version field.
local function is_ours(range)
    return range:bitfield(0, 24) == 0x4a5350
end

-- Is this a long header of ours, or a Version Negotiation that offers our versions?
local function is_long(tvb)
    local len = tvb:captured_len()
    if len < 8 or tvb(0, 1):bitfield(0, 1) == 0 then return false end
    if is_ours(tvb(1, 4)) then return tvb(0, 1):bitfield(1, 1) == 1 end
    if tvb(1, 4):uint() ~= 0 then return false end
    local scid_at = 6 + tvb(5, 1):uint()
    if scid_at >= len then return false end
    for at = scid_at + 1 + tvb(scid_at, 1):uint(), len - 4, 4 do
        if is_ours(tvb(at, 4)) then return true end
    end
    return false
end

local function heuristic(tvb, pinfo, tree)
    local from = ("%s:%d"):format(tostring(pinfo.src), pinfo.src_port)
    local to = ("%s:%d"):format(tostring(pinfo.dst), pinfo.dst_port)
    if is_opened(tvb) or is_long(tvb) then
        endpoints[from], endpoints[to] = true, true
    elseif not (endpoints[from] or endpoints[to]) or tvb:captured_len() < SMALLEST_SHORT
        or tvb(0, 1):bitfield(0, 2) ~= 1 then
        -- A short header shows nothing; it is ours where an end of it is known to speak JSP.
        return false
    end
    pinfo.conversation = jsp
    jsp.dissector(tvb, pinfo, tree)
    return true
end

jsp:register_heuristic("udp", heuristic)
DissectorTable.get("udp.port"):add_for_decode_as(jsp)
