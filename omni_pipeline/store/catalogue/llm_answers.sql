-- name: find
SELECT answer FROM llm_answers
WHERE domain_id = %(domain_id)s AND text_hash = %(text_hash)s AND question_version = %(question_version)s
    AND model = %(model)s

-- name: keep
INSERT INTO llm_answers (domain_id, text_hash, question_version, model, answer, fence)
VALUES (%(domain_id)s, %(text_hash)s, %(question_version)s, %(model)s, %(answer)s, %(fence)s)
ON CONFLICT (domain_id, text_hash, question_version, model) DO NOTHING
