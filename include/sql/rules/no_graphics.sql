-- No windows, plots, terminals or browsers.
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
        'IPython', 'PIL', 'PyQt4', 'PyQt5', 'PyQt6', 'PySide', 'PySide2', 'PySide6', 'Tkinter', 'bokeh',
        'curses', 'cv2', 'gi', 'ipywidgets', 'kivy', 'matplotlib', 'plotly', 'plt', 'pygame', 'pyglet',
        'readline', 'seaborn', 'streamlit', 'termios', 'tkinter', 'tty', 'turtle', 'webbrowser', 'wx'
    )
GROUP BY occurrence_id
