-- No windows, plots, terminals or browsers.
SELECT
    occurrence_id,
    'uses ' || array_to_string(used, ', ') AS reason
FROM (
    SELECT
        occurrence_id,
        list_sort(list_intersect(
            list_distinct(list_concat(list_transform(imports, lambda m: split_part(m, '.', 1)), undefined_names)),
            [
                'IPython', 'PIL', 'PyQt4', 'PyQt5', 'PyQt6', 'PySide', 'PySide2', 'PySide6', 'Tkinter', 'bokeh',
                'curses', 'cv2', 'gi', 'ipywidgets', 'kivy', 'matplotlib', 'plotly', 'plt', 'pygame', 'pyglet',
                'readline', 'seaborn', 'streamlit', 'termios', 'tkinter', 'tty', 'turtle', 'webbrowser', 'wx'
            ]
        )) AS used
    FROM candidates
)
WHERE len(used) > 0
