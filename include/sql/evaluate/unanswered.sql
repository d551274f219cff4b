-- Questions, each with the numbers of the answers that the ledger lacks; equal prompts are asked once.
WITH wanted AS (
    SELECT
        prompt_hash,
        any_value(prompt) AS prompt,
        any_value(function_name) AS function_name,
        any_value(parameters) AS parameters,
        any_value(cases) AS cases
    FROM questions
    GROUP BY prompt_hash
)

SELECT
    wanted.*,
    numbers.number
FROM wanted
CROSS JOIN range($answers) AS numbers (number)
ANTI JOIN answers ON wanted.prompt_hash = answers.prompt_hash AND numbers.number = answers.number
ORDER BY numbers.number, wanted.prompt_hash
