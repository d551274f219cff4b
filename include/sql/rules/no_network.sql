-- No network: what another machine answers is not a function of the arguments.
SELECT
    occurrence_id,
    'uses ' || string_agg(DISTINCT name, ', ' ORDER BY name) AS reason
FROM (
    SELECT
        occurrence_id,
        split_part(unnest(list_concat(imports, undefined_names)), '.', 1) AS name
    FROM candidates
)
WHERE
    name IN (
        'aiohttp', 'boto', 'boto3', 'botocore', 'ftplib', 'grpc', 'http', 'httplib', 'httplib2', 'httpx',
        'imaplib', 'nntplib', 'paramiko', 'poplib', 'pycurl', 'requests', 'scapy', 'select', 'selectors',
        'selenium', 'smtplib', 'socket', 'socketserver', 'ssl', 'telnetlib', 'tornado', 'twisted', 'urllib',
        'urllib2', 'urllib3', 'websocket', 'websockets', 'xmlrpc', 'zmq'
    )
GROUP BY occurrence_id
