-- W3C traceparent of the cause, where that was traced: an effect can be shown beside it.
ALTER TABLE outbox ADD COLUMN trace text;
ALTER TABLE feed_entry ADD COLUMN trace text;
