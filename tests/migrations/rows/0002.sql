INSERT INTO sales (id, slug, title, state, opens_at_ms, lobby_seconds, shuffle, rate, active_most, pass_seconds, grace_seconds, limit_units, one_per_email, seed, message, version, epoch, created_at_ms, opened_at_ms, sold_out_at_ms, closed_at_ms, joined) VALUES (1, 'runner-drop', 'Runner drop', 'open', 1763900000000, 600, true, 10.5, 100, 300, 60, 1, false, 'c0ffee', 'Hello', 3, 1, 1763890000000, 1763900000100, NULL, NULL, 42);
INSERT INTO sale_skus (sale_id, sku) VALUES (1, 'RUNNER-42');
INSERT INTO sale_changes (id, sale_id, at_ms, who, what) VALUES (1, 1, 1763890000000, 'ops', 'created');
INSERT INTO admissions (sale_id, epoch, number, shopper, score, joined_at_ms, admitted_at_ms, expires_at_ms, extensions, state, ended_at_ms) VALUES (1, 1, 1, 'ada', 4504699139000321, 1763899000000, 1763900001000, 1763900301000, 0, 'arrived', NULL);
INSERT INTO waiting_list (id, sale_id, email, token, created_at_ms, confirmed_at_ms, told_at_ms) VALUES (1, 1, 'ada@example.org', 'token-1', 1763901000000, 1763901060000, NULL);
INSERT INTO waiting_list_mails (id, entry_id, kind, created_at_ms, due_at_ms, tries, sent_at_ms) VALUES (1, 1, 'confirm', 1763901000000, NULL, 1, 1763901002000);
