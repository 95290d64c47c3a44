//! JetStreamProto.
